// SPDX-License-Identifier: MIT
// Dir: a directory handle that cannot be led out of its root. It is the only caller of *at in the
// project; scan, staging, journal, commit and lock are written over it. A name is one valid_name()
// component (or kSelf where a function says so), resolved in the held directory; no symbolic link
// is ever followed, only open_root() may, and says when. Parents that we may search but not read
// work. Every failure is an Error that names the path below the root; its code() is the errno.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "sync/file_stat.h"

namespace xs {

struct Space {
  static constexpr std::uint64_t kUnknown = ~std::uint64_t{0};
  std::uint64_t bytes = 0;          // that we may still use
  std::uint64_t inodes = kUnknown;  // unknown where the file system makes them as needed
};

class Dir {
 public:
  static constexpr std::string_view kSelf = ".";

  // The operator's path. A symbolic link in it is followed when root or we own it, refused
  // otherwise (Selection, like a path that is no directory). A path that is missing or closed to us
  // is Partial.
  static Dir open_root(const std::string& path);

  // The path below the root; empty for the root.
  const std::string& path() const { return path_; }
  // How an error shows this name: the path below the root, or the operator's path for the root
  // itself.
  std::string subject(std::string_view name) const;

  Dir open_dir(std::string_view name) const;
  std::optional<Dir> open_dir_if_exists(std::string_view name) const;
  // Component by component; the empty path opens this directory a second time.
  Dir walk(std::string_view path) const;
  // Regular files only. Flags of open(2); O_CREAT has create_file().
  Fd open_file(std::string_view name, int flags) const;
  std::optional<Fd> open_file_if_exists(std::string_view name, int flags) const;
  // A new file for reading and writing; it is an error if the name exists.
  Fd create_file(std::string_view name, unsigned mode) const;

  // This directory as the root of a tree of its own, shown as `path` in errors.
  Dir as_root(std::string path) && { return Dir(std::move(fd_), "", readable_, std::move(path)); }

  FileStat stat(std::string_view name_or_self) const;
  std::optional<FileStat> stat_if_exists(std::string_view name) const;
  void list(Listing& into) const;  // all but "." and ".."
  std::string readlink(std::string_view name) const;

  void mkdir(std::string_view name, unsigned mode) const;
  void symlink(std::string_view target, std::string_view name) const;
  void mknod(std::string_view name, std::uint32_t mode_and_type, std::uint64_t rdev) const;
  void link(std::string_view name, const Dir& to, std::string_view new_name) const;
  void rename(std::string_view name, const Dir& to, std::string_view new_name) const;
  void unlink(std::string_view name) const;
  void rmdir(std::string_view name) const;

  // On the entry itself, a symbolic link too where Linux can; a link's mode cannot be set (ELOOP).
  void set_mode(std::string_view name_or_self, std::uint32_t mode) const;
  void set_owner(std::string_view name_or_self, std::uint32_t uid, std::uint32_t gid) const;
  void set_mtime(std::string_view name_or_self, std::int64_t mtime_ns) const;
  // Sets both times to what they are: one attribute event for those who watch, and no change.
  void touch(std::string_view name) const;

  void sync() const;             // fsync of the directory: its names are durable
  void sync_filesystem() const;  // syncfs: everything written to this file system so far
  Space space() const;
  // Whether a rename between the two can work: one file system and, where the kernel tells, one
  // mount.
  bool same_filesystem(const Dir& other) const;

  // A path for calls that have no *at form (xattr); valid while this Dir lives, needs /proc.
  std::string proc_path(std::string_view name_or_self) const;

 private:
  Dir(Fd fd, std::string path, bool readable, std::string root)
      : fd_(std::move(fd)), path_(std::move(path)), root_(std::move(root)), readable_(readable) {}
  static Dir open_at(int parent, const char* name, std::string path, std::string root);
  [[noreturn]] void fail(std::string_view call, std::string_view name) const;
  Fd for_reading() const;

  Fd fd_;
  std::string path_;
  std::string root_;  // the operator's path, at the root only
  bool readable_;     // false: an O_PATH descriptor, good for everything but list() and sync()
};

// Out of descriptors or memory: our trouble, not that of the name at hand.
bool exhausted(int err);

FileStat stat_fd(const Fd& file, std::string_view subject);

}  // namespace xs
