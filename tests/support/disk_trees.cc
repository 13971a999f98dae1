// SPDX-License-Identifier: MIT
#include "tests/support/disk_trees.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <set>
#include <stdexcept>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace xs::test {
namespace {

using Random = std::mt19937_64;

constexpr const char* kUserAttribute = "user.xs.test";
constexpr const char* kAccess = "system.posix_acl_access";
constexpr const char* kDefault = "system.posix_acl_default";

template <class T, std::size_t N>
const T& pick(Random& random, const std::array<T, N>& from) {
  return from[below(random, N)];
}

std::string random_name(Random& random) {
  static const std::array<std::string, 12> odd = {"new\nline",
                                                  "invalid\xff\xfeutf8",
                                                  " spaces ",
                                                  "-rf",
                                                  "back\\slash",
                                                  "\\#012",
                                                  "*?[a]",
                                                  ".hidden",
                                                  std::string(255, 'n'),
                                                  "tab\t",
                                                  "\xc3\xa4",
                                                  "A"};
  if (chance(random, 3)) return pick(random, odd);
  return std::string(1, static_cast<char>('a' + below(random, 5)));
}

std::string random_bytes(Random& random) {
  static const std::array<std::size_t, 6> sizes = {0, 1, 30, 4096, 5000, 150'000};
  std::string bytes(pick(random, sizes), '\0');
  char last = static_cast<char>(random());
  for (char& c : bytes) c = last = static_cast<char>(last * 5 + (chance(random, 64) ? 3 : 7));
  return bytes;
}

std::string random_target(Random& random) {
  static const std::array<std::string, 6> targets = {"a",        "../b",      "/nowhere/at/all",
                                                     "dangling", "new\nline", "\xff"};
  return chance(random, 8) ? std::string(1000, 't') : pick(random, targets);
}

void random_attributes(Random& random, const Variant& variant, Object& object) {
  static const std::array<unsigned, 6> file_modes = {0644, 0600, 0640, 0444, 0755, 01666};
  static const std::array<unsigned, 6> dir_modes = {0755, 0700, 0750, 01777, 02775, 0711};
  static const std::array<std::uint32_t, 4> ids = {0, 1, 65534, 54321};  // the last has no name
  object.mode = S_ISDIR(object.type) ? pick(random, dir_modes) : pick(random, file_modes);
  if (::geteuid() == 0) {
    object.uid = pick(random, ids);
    object.gid = pick(random, ids);
  }
  object.mtime =
      1'500'000'000'000'000'000 + static_cast<std::int64_t>(below(random, 5)) * 1'000'000'001;
  const bool takes_attributes = S_ISDIR(object.type) || S_ISREG(object.type);
  if (variant.xattrs && takes_attributes && chance(random, 2))
    object.attribute = std::string(1 + below(random, 3), 'v');
  if (variant.acls && takes_attributes && chance(random, 2))
    object.acl = 1 + static_cast<unsigned>(below(random, 7));
  if (variant.acls && S_ISDIR(object.type) && chance(random, 3))
    object.default_acl = 1 + static_cast<unsigned>(below(random, 7));
}

std::shared_ptr<Object> random_object(Random& random, const Variant& variant) {
  static const std::array<mode_t, 10> types = {S_IFREG, S_IFREG, S_IFREG, S_IFREG, S_IFREG,
                                               S_IFDIR, S_IFDIR, S_IFDIR, S_IFLNK, S_IFIFO};
  auto object = std::make_shared<Object>();
  object->type = pick(random, types);
  if (S_ISREG(object->type)) object->content = random_bytes(random);
  if (S_ISLNK(object->type)) object->content = random_target(random);
  random_attributes(random, variant, *object);
  return object;
}

template <class Wanted>
std::string pick_path(Random& random, const DiskTree& tree, Wanted wanted) {
  std::vector<std::string> paths;
  for (const auto& [path, object] : tree) {
    if (wanted(path, *object)) paths.push_back(path);
  }
  return paths.empty() ? "" : paths[below(random, paths.size())];
}

void remove_tree(DiskTree& tree, const std::string& path) {
  for (auto at = tree.begin(); at != tree.end();) {
    const bool inside = at->first == path || at->first.compare(0, path.size() + 1, path + "/") == 0;
    at = inside ? tree.erase(at) : std::next(at);
  }
}

// A new object, or another name of a file, possibly in place of something else.
void add_entry(Random& random, const Variant& variant, DiskTree& tree) {
  const auto is_dir = [](const std::string&, const Object& one) { return S_ISDIR(one.type); };
  const auto is_file = [](const std::string&, const Object& one) { return S_ISREG(one.type); };
  const std::string parent = pick_path(random, tree, is_dir);
  if (parent.size() > 900) return;
  const std::string path = (parent.empty() ? "" : parent + "/") + random_name(random);
  std::shared_ptr<Object> object = random_object(random, variant);
  const std::string first = pick_path(random, tree, is_file);
  if (variant.links && !first.empty() && chance(random, 4)) object = tree.at(first);
  remove_tree(tree, path);
  tree[path] = std::move(object);
}

// The same structure of names and links, nothing shared with the original.
DiskTree copy_of(const DiskTree& tree) {
  std::map<const Object*, std::shared_ptr<Object>> copies;
  DiskTree copy;
  for (const auto& [path, object] : tree) {
    auto& one = copies[object.get()];
    if (!one) one = std::make_shared<Object>(*object);
    copy[path] = one;
  }
  return copy;
}

void change(Random& random, const Variant& variant, DiskTree& tree) {
  const std::string path =
      pick_path(random, tree, [](const std::string&, const Object&) { return true; });
  Object& object = *tree.at(path);
  switch (below(random, 6)) {
    case 0:
      if (!path.empty()) remove_tree(tree, path);
      break;
    case 1:
      if (S_ISREG(object.type) && !object.content.empty()) object.content.back() ^= 1;
      if (S_ISLNK(object.type)) object.content = random_target(random);
      break;
    case 2: random_attributes(random, variant, object); break;
    case 3: object.mtime += 1; break;
    case 4:
      if (object.type == S_IFREG) tree[path] = std::make_shared<Object>(object);  // parted
      break;
    default: add_entry(random, variant, tree);
  }
}

// The kernel's form of an ACL: owner, one named user, group, mask, others.
std::string acl_bytes(unsigned mode, unsigned rights) {
  std::string bytes;
  const auto put = [&bytes](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  };
  const auto entry = [&put](std::uint32_t tag, std::uint32_t perm, std::uint32_t id) {
    put(tag, 2);
    put(perm, 2);
    put(id, 4);
  };
  put(2, 4);
  entry(0x01, (mode >> 6) & 7, ~0U);
  entry(0x02, rights, 1);
  entry(0x04, (mode >> 3) & 7, ~0U);
  entry(0x10, ((mode >> 3) & 7) | rights, ~0U);
  entry(0x20, mode & 7, ~0U);
  return bytes;
}

void set_attribute(const std::string& path, const char* name, const std::string& value) {
  if (::lsetxattr(path.c_str(), name, value.data(), value.size(), 0) != 0)
    throw std::runtime_error(std::string("setxattr ") + name + ": " + errno_text(errno));
}

void dress(TempTree& disk, const std::string& path, const Object& object) {
  const std::string name = path.empty() ? "." : path;
  const std::string full = disk.path_of(name);
  if (::geteuid() == 0) disk.owner(name, object.uid, object.gid);
  if (!object.attribute.empty()) set_attribute(full, kUserAttribute, object.attribute);
  if (!S_ISLNK(object.type)) disk.mode(name, object.mode);
  if (object.acl != 0) set_attribute(full, kAccess, acl_bytes(object.mode, object.acl));
  if (object.default_acl != 0)
    set_attribute(full, kDefault, acl_bytes(object.mode, object.default_acl));
  disk.mtime(name, object.mtime);
}

std::string attribute_of(const std::string& path, const char* name) {
  std::array<char, 4096> value{};
  const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
  return size < 0 ? std::string() : std::string(value.data(), static_cast<std::size_t>(size));
}

std::string target_of(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  return size < 0 ? "?" : std::string(target.data(), static_cast<std::size_t>(size));
}

Seen look(const TempTree& disk, const std::string& path) {
  const std::string name = path.empty() ? "." : path;
  const std::string full = disk.path_of(name);
  const struct stat st = disk.stat(name);
  Seen seen;
  seen.mode = st.st_mode;
  seen.uid = st.st_uid;
  seen.gid = st.st_gid;
  seen.mtime = st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec;
  if (seen.is_file()) seen.content = disk.read(name);
  if (S_ISLNK(st.st_mode)) seen.content = target_of(full);
  seen.attribute = attribute_of(full, kUserAttribute);
  seen.acl = attribute_of(full, kAccess);
  seen.default_acl = attribute_of(full, kDefault);
  return seen;
}

void add_names(const TempTree& disk, const std::string& dir, std::set<std::string>& paths) {
  paths.insert(dir);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(disk.path_of(dir).c_str()),
                                                   ::closedir);
  if (!stream) throw std::runtime_error("opendir " + escape(dir) + ": " + errno_text(errno));
  while (const dirent* one = ::readdir(stream.get())) {
    const std::string name = one->d_name;
    if (name == "." || name == ".." || (dir.empty() && name == ".xroad-sync")) continue;
    const std::string path = dir.empty() ? name : dir + "/" + name;
    if (one->d_type == DT_DIR) {
      add_names(disk, path, paths);
    } else {
      paths.insert(path);
    }
  }
}

}  // namespace

std::size_t below(Random& random, std::size_t end) {
  return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
}

bool chance(Random& random, std::size_t one_in) { return below(random, one_in) == 0; }

DiskTree random_tree(Random& random, const Variant& variant) {
  DiskTree tree;
  auto root = std::make_shared<Object>();
  root->type = S_IFDIR;
  random_attributes(random, variant, *root);
  tree[""] = root;
  for (std::size_t left = below(random, 30); left > 0; --left) add_entry(random, variant, tree);
  return tree;
}

DiskTree earlier(Random& random, const Variant& variant, const DiskTree& source) {
  if (chance(random, 8)) return random_tree(random, variant);
  DiskTree tree = copy_of(source);
  for (std::size_t left = below(random, 12); left > 0; --left) change(random, variant, tree);
  return tree;
}

void make(TempTree& disk, const DiskTree& tree) {
  std::map<const Object*, std::string> first;
  for (const auto& [path, object] : tree) {
    if (path.empty()) continue;
    const auto [at, is_new] = first.try_emplace(object.get(), path);
    if (!is_new) {
      disk.hardlink(path, at->second);
    } else if (S_ISDIR(object->type)) {
      disk.dir(path);
    } else if (S_ISLNK(object->type)) {
      disk.symlink(path, object->content);
    } else if (S_ISFIFO(object->type)) {
      disk.fifo(path);
    } else {
      disk.file(path, object->content);
    }
  }
  for (auto at = tree.rbegin(); at != tree.rend(); ++at) dress(disk, at->first, *at->second);
}

Variant supported() {
  const TempTree tree;
  const auto takes = [&tree](const char* name, const std::string& value) {
    return ::lsetxattr(tree.path().c_str(), name, value.data(), value.size(), 0) == 0;
  };
  Variant all;
  all.links = true;
  all.xattrs = takes(kUserAttribute, "v");
  all.acls = takes(kAccess, acl_bytes(0755, 5));
  return all;
}

Picture picture(const TempTree& disk) {
  std::set<std::string> paths;
  add_names(disk, "", paths);
  std::map<ino_t, std::string> first;
  Picture all;
  for (const std::string& path : paths) {
    Seen seen = look(disk, path);
    const ino_t inode = disk.stat(path.empty() ? "." : path).st_ino;
    if (seen.is_file()) seen.first = first.try_emplace(inode, path).first->second;
    all.emplace(path, std::move(seen));
  }
  return all;
}

std::string describe(const Picture& all, const std::string& path) {
  const auto at = all.find(path);
  if (at == all.end()) return "absent";
  const Seen& seen = at->second;
  char mode[16];
  std::snprintf(mode, sizeof mode, "%06o", seen.mode);
  return std::string(mode) + " " + std::to_string(seen.uid) + ":" + std::to_string(seen.gid) +
         " time " + std::to_string(seen.mtime) + " " + std::to_string(seen.content.size()) +
         " bytes " + escape(seen.content.substr(0, 20)) + " file of '" + escape(seen.first) +
         "' attribute '" + seen.attribute + "' acl " + escape(seen.acl) + " default " +
         escape(seen.default_acl);
}

}  // namespace xs::test
