// SPDX-License-Identifier: MIT
// What a Dir tells about its entries: values only, no system calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"

struct statx;

namespace xs {

struct FileStat {
  static FileStat from(const struct statx& raw);

  std::uint64_t dev = 0;
  std::uint64_t ino = 0;
  std::uint64_t size = 0;
  std::uint64_t rdev = 0;
  std::int64_t mtime_ns = 0;  // since the epoch; what does not fit is the nearest that does
  std::int64_t ctime_ns = 0;
  std::uint32_t mode = 0;  // with the type bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t nlink = 0;
  bool mount_root = false;  // where the kernel tells (Linux 5.8); false says nothing

  bool immutable = false;  // chattr +i, +a: where the file system tells
  bool append_only = false;

  EntryType type() const;
  bool is_dir() const { return type() == EntryType::Dir; }
  bool is_file() const { return type() == EntryType::File; }
  std::uint16_t permissions() const { return static_cast<std::uint16_t>(mode & 07777U); }
  // Differs when the file was replaced or touched in any way: inode, size, mtime, ctime, mode and
  // owner.
  std::uint64_t stamp() const;
  bool same_inode(const FileStat& other) const { return dev == other.dev && ino == other.ino; }
  bool operator==(const FileStat&) const = default;
};

// The names of one directory, in one block of memory. Reusable.
class Listing {
 public:
  std::size_t size() const { return names_.size(); }
  std::string_view name(std::size_t at) const {
    return {bytes_.data() + names_[at].offset, names_[at].length};
  }
  // What readdir said; nothing where the file system does not tell.
  std::optional<bool> is_dir(std::size_t at) const;
  void clear();
  void add(std::string_view name, std::uint8_t readdir_type);  // throws Io beyond 4 GiB of names
  void sort();                                                 // by bytes

 private:
  struct Name {
    std::uint32_t offset;
    std::uint16_t length;
    std::uint8_t type;
  };

  std::string bytes_;
  std::vector<Name> names_;
};

// The directory part (empty: the root) and the last component.
struct SplitPath {
  std::string_view parent;
  std::string_view name;
};
SplitPath split_path(std::string_view path);
std::string join_path(std::string_view parent, std::string_view name);

}  // namespace xs
