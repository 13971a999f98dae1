// SPDX-License-Identifier: MIT
// block_check LIVE GENERATION...
// Exits with the index of the one GENERATION that LIVE equals, or with 100 when it equals none, and
// then says how it differs from each. Equal is the same paths, and for each its type, mode, owner,
// contents, link target and hard-link partner. `.xroad-sync` is not looked at.
//
// block_check --between INDEX LIVE GENERATION...
// For a tree that may be half-way from one generation to the next: exits with 0 when each file and
// link that both have is there as one of them has it, never missing, never torn; with 100
// otherwise.
//
// Does not link the engine: a mistake there must not be believed here.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

namespace {

using xs::Error;
using xs::Fault;

constexpr int kNone = 100;
constexpr int kBroken = 101;

struct Node {
  std::string head;     // type, mode and owner
  std::string body;     // contents or target
  std::string partner;  // the first path of the same inode
  bool directory = false;
  bool operator==(const Node&) const = default;
};
using Tree = std::map<std::string, Node>;

std::string contents(const std::string& path) {
  const xs::Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) xs::throw_errno("open", path);
  std::string bytes;
  std::array<char, 65536> piece;
  for (;;) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count < 0) xs::throw_errno("read", path);
    if (count == 0) return bytes;
    bytes.append(piece.data(), static_cast<std::size_t>(count));
  }
}

std::string target(const std::string& path) {
  std::array<char, 4096> into;
  const ssize_t count = ::readlink(path.c_str(), into.data(), into.size());
  if (count < 0) xs::throw_errno("readlink", path);
  return {into.data(), static_cast<std::size_t>(count)};
}

std::vector<std::string> names(const std::string& path) {
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) xs::throw_errno("opendir", path);
  std::vector<std::string> found;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && name != ".xroad-sync") found.push_back(name);
  }
  ::closedir(dir);
  return found;
}

class Reader {
 public:
  Tree read(const std::string& root) {
    root_ = root;
    visit("");
    find_partners();
    return std::move(tree_);
  }

 private:
  void visit(const std::string& path) {
    const std::string full = root_ + path;
    struct stat st {};
    if (::lstat(full.c_str(), &st) != 0) xs::throw_errno("lstat", full);
    std::array<char, 64> head;
    std::snprintf(head.data(), head.size(), "mode %o owner %u:%u", st.st_mode, st.st_uid,
                  st.st_gid);
    Node& node = tree_[path];
    node.head = head.data();
    node.directory = S_ISDIR(st.st_mode);
    if (S_ISREG(st.st_mode)) node.body = contents(full);
    if (S_ISLNK(st.st_mode)) node.body = target(full);
    if (!node.directory) inodes_[st.st_ino].push_back(path);
    if (!node.directory) return;
    for (const std::string& name : names(full)) visit(path + "/" + name);
  }

  // The links of a kept generation also count in st_nlink, so partners are looked for by inode.
  void find_partners() {
    for (const auto& [inode, paths] : inodes_)
      for (const std::string& path : paths)
        tree_[path].partner = *std::min_element(paths.begin(), paths.end());
  }

  std::string root_;
  Tree tree_;
  std::map<ino_t, std::vector<std::string>> inodes_;
};

std::string summary(const Node& node) {
  return node.head + ", " + std::to_string(node.body.size()) + " bytes " +
         xs::excerpt(node.body, 20) + ", linked to " + node.partner;
}

// The first few differences of one path each; the rest is counted.
void show_difference(const std::string& name, const Tree& wanted, const Tree& live) {
  std::vector<std::string> lines;
  for (const auto& [path, node] : wanted) {
    const auto found = live.find(path);
    if (found == live.end())
      lines.push_back("missing " + path);
    else if (found->second != node)
      lines.push_back(path + " is " + summary(found->second) + "; should be " + summary(node));
  }
  for (const auto& [path, node] : live)
    if (!wanted.contains(path)) lines.push_back("extra " + path);
  constexpr std::size_t kFew = 3;
  for (std::size_t at = 0; at < std::min(kFew, lines.size()); ++at)
    std::fprintf(stderr, "    not %s: %s\n", name.c_str(), lines[at].c_str());
  if (lines.size() > kFew)
    std::fprintf(stderr, "    not %s: %zu more\n", name.c_str(), lines.size() - kFew);
}

int which(const Tree& live, const std::vector<std::string>& generations) {
  std::vector<Tree> trees;
  for (const std::string& generation : generations) {
    trees.push_back(Reader().read(generation));
    if (trees.back() == live) return static_cast<int>(trees.size()) - 1;
  }
  for (std::size_t at = 0; at < trees.size(); ++at)
    show_difference(generations[at], trees[at], live);
  return kNone;
}

// Links are renamed one by one, so half-way partners may be apart.
bool alike(const Node& a, const Node& b) { return a.head == b.head && a.body == b.body; }

int between(const Tree& live, const std::string& before, const std::string& after) {
  const Tree older = Reader().read(before);
  const Tree newer = Reader().read(after);
  int result = 0;
  for (const auto& [path, node] : older) {
    const auto next = newer.find(path);
    if (next == newer.end() || node.directory || next->second.directory) continue;
    const auto found = live.find(path);
    if (found != live.end() && (alike(found->second, node) || alike(found->second, next->second)))
      continue;
    result = kNone;
    std::fprintf(stderr, "    %s is %s\n", path.c_str(),
                 found == live.end() ? "missing" : summary(found->second).c_str());
  }
  return result;
}

int check(const std::vector<std::string>& words) {
  const bool half_way = words[0] == "--between";
  const std::size_t first = half_way ? 2 : 0;
  if (words.size() < first + 2 || words.size() > kNone) throw Error(Fault::Usage, "see its source");
  const Tree live = Reader().read(words[first]);
  const std::vector<std::string> generations(words.begin() + static_cast<long>(first) + 1,
                                             words.end());
  if (!half_way) return which(live, generations);
  const auto index = xs::parse_number(words[1]);
  if (!index || *index >= generations.size()) throw Error(Fault::Usage, "no such generation");
  const std::size_t next = std::min<std::size_t>(*index + 1, generations.size() - 1);
  return between(live, generations[*index], generations[next]);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) throw Error(Fault::Usage, "block_check [--between INDEX] LIVE GENERATION...");
    return check(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const Error& error) {
    std::fprintf(stderr, "block_check: %s\n", error.what());
    return kBroken;
  }
}
