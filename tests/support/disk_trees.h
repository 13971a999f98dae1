// SPDX-License-Identifier: MIT
// Disk trees: random trees as values, their way onto a disk, and what is on a disk, as a picture to
// compare. For tests of the whole engine; it does not use the code under test. Every type that
// rsync -a copies but devices, hard links, one attribute of the user, ACLs, odd names; owners where
// we are root.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>

#include "tests/support/temp_tree.h"

namespace xs::test {

struct Variant {  // what a random tree has beyond rsync's -a
  bool links = false, xattrs = false, acls = false;
};

struct Object {
  mode_t type = S_IFREG;
  std::string content;  // bytes or target
  unsigned mode = 0644;
  std::uint32_t uid = 0, gid = 0;
  std::int64_t mtime = 0;
  std::string attribute;     // of the user; empty: none
  unsigned acl = 0;          // rights of a named user, 0: no ACL
  unsigned default_acl = 0;  // of directories
};

// Names that share an Object are hard links. Always with the root, the empty path.
using DiskTree = std::map<std::string, std::shared_ptr<Object>>;

DiskTree random_tree(std::mt19937_64& random, const Variant& variant);
// What a copy of `source` may have been some changes ago; sometimes something else altogether.
DiskTree earlier(std::mt19937_64& random, const Variant& variant, const DiskTree& source);
// Into an empty directory.
void make(TempTree& disk, const DiskTree& tree);

std::size_t below(std::mt19937_64& random, std::size_t end);
bool chance(std::mt19937_64& random, std::size_t one_in);

// Whether the file system takes attributes of users, and ACLs.
Variant supported();

struct Seen {
  mode_t mode = 0;
  std::uint32_t uid = 0, gid = 0;
  std::string content, attribute, acl, default_acl;
  std::string first;  // of the names of this file; empty for other types
  std::int64_t mtime = 0;

  bool is_file() const { return S_ISREG(mode); }
  bool same_but_for_time(const Seen& other) const {
    return std::tie(mode, uid, gid, content, attribute, acl, default_acl, first) ==
           std::tie(other.mode, other.uid, other.gid, other.content, other.attribute, other.acl,
                    other.default_acl, other.first);
  }
};

using Picture = std::map<std::string, Seen>;

// Without .xroad-sync in the root.
Picture picture(const TempTree& disk);
// One entry in one line, "absent" where there is none.
std::string describe(const Picture& all, const std::string& path);

}  // namespace xs::test
