// SPDX-License-Identifier: MIT
#include "tests/crash/oracle_tree.h"

#include <dirent.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace oracle {
namespace {

constexpr const char* kArea = ".xroad-sync";

std::string target_of(const std::string& path) {
  std::string target(4096, '\0');
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) fail("readlink", path);
  target.resize(static_cast<std::size_t>(length));
  return target;
}

class Reader {
 public:
  Reader(const std::string& root, const std::set<std::string>& excluded) : excluded_(excluded) {
    tree_.root = root;
  }

  Tree read() {
    visit("");
    name_groups();
    return std::move(tree_);
  }

 private:
  void visit(const std::string& path) {
    const std::string full = tree_.root + '/' + path;
    Node node;
    if (::lstat(full.c_str(), &node.st) != 0) fail("lstat", full);
    if (S_ISLNK(node.st.st_mode)) node.target = target_of(full);
    tree_.nodes[path] = node;
    if (!S_ISDIR(node.st.st_mode)) return;
    for (const std::string& name : names_in(full)) {
      const std::string below = join(path, name);
      if (excluded_.count(below) != 0) continue;
      if (name == kArea)
        tree_.areas.push_back(below);
      else
        visit(below);
    }
  }

  // The map is sorted, so the first name that is met is the least.
  void name_groups() {
    std::map<std::pair<dev_t, ino_t>, std::string> first;
    for (auto& [path, node] : tree_.nodes) {
      const auto key = std::make_pair(node.st.st_dev, node.st.st_ino);
      node.first_name = first.emplace(key, path).first->second;
    }
  }

  const std::set<std::string>& excluded_;
  Tree tree_;
};

}  // namespace

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw std::runtime_error(what + " " + path + ": " + std::strerror(errno));
}

std::string join(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : dir + '/' + name;
}

std::vector<std::string> names_in(const std::string& dir) {
  DIR* stream = ::opendir(dir.c_str());
  if (stream == nullptr) fail("opendir", dir);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  const int failed = errno;
  ::closedir(stream);
  if (failed != 0) {
    errno = failed;
    fail("readdir", dir);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Tree read_tree(const std::string& root, const std::set<std::string>& excluded) {
  return Reader(root, excluded).read();
}

bool is_dir(const Tree& tree, const std::string& path) {
  const auto found = tree.nodes.find(path);
  return found != tree.nodes.end() && S_ISDIR(found->second.st.st_mode);
}

bool same_bytes(const std::string& a, const std::string& b) {
  std::ifstream left(a, std::ios::binary);
  std::ifstream right(b, std::ios::binary);
  if (!left || !right) fail("open", left ? b : a);
  std::vector<char> of_left(1 << 16);
  std::vector<char> of_right(1 << 16);
  for (;;) {
    left.read(of_left.data(), static_cast<std::streamsize>(of_left.size()));
    right.read(of_right.data(), static_cast<std::streamsize>(of_right.size()));
    if (left.bad() || right.bad()) fail("read", left.bad() ? a : b);
    if (left.gcount() != right.gcount()) return false;
    if (!std::equal(of_left.begin(), of_left.begin() + left.gcount(), of_right.begin()))
      return false;
    if (left.gcount() < static_cast<std::streamsize>(of_left.size())) return true;
  }
}

std::string difference(const Tree& wanted_tree, const Tree& live_tree, const std::string& path) {
  const Node& wanted = wanted_tree.nodes.at(path);
  const Node& live = live_tree.nodes.at(path);
  if ((wanted.st.st_mode & S_IFMT) != (live.st.st_mode & S_IFMT)) return "type";
  if (wanted.st.st_uid != live.st.st_uid || wanted.st.st_gid != live.st.st_gid) return "owner";
  if (S_ISLNK(wanted.st.st_mode)) return wanted.target == live.target ? "" : "target";
  if ((wanted.st.st_mode & 07777) != (live.st.st_mode & 07777)) return "mode";
  if (wanted.first_name != live.first_name) return "hard links";
  if (wanted.st.st_rdev != live.st.st_rdev) return "device number";
  if (!S_ISREG(wanted.st.st_mode)) return "";
  if (wanted.st.st_size != live.st.st_size) return "size";
  const bool same = same_bytes(wanted_tree.root + '/' + path, live_tree.root + '/' + path);
  return same ? "" : "contents";
}

std::vector<std::string> differences(const Tree& wanted, const Tree& live) {
  std::vector<std::string> found;
  for (const auto& [path, node] : wanted.nodes) {
    if (live.nodes.count(path) == 0) {
      found.push_back("missing: " + path);
      continue;
    }
    const std::string what = difference(wanted, live, path);
    if (!what.empty()) found.push_back(what + ": " + (path.empty() ? "." : path));
  }
  for (const auto& [path, node] : live.nodes) {
    if (wanted.nodes.count(path) == 0) found.push_back("extra: " + path);
  }
  return found;
}

}  // namespace oracle
