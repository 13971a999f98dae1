// SPDX-License-Identifier: MIT
// Disk: the one small interface through which staging, journal, commit, recovery and generations
// reach the destination, so that they also run on the model disk of the tests, which forgets what
// was not synced. A path is a valid_path() below the destination root; the empty path is the root.
// No symbolic link is followed, ever. Every failure is an Error of class Io that names the path and
// has the errno as code(); what is normally absent comes back as nothing instead. real_disk.h has
// the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"
#include "sync/dir.h"
#include "sync/file_stat.h"
#include "sync/rights.h"

namespace xs {

// What is to be set on an object; what is absent stays as it is.
struct Attributes {
  std::optional<std::uint32_t> mode;  // permission bits; ignored for symbolic links
  std::optional<std::uint32_t> uid;   // owners are set where we may; where not, a warning says so
  std::optional<std::uint32_t> gid;
  std::optional<std::int64_t> mtime_ns;
  std::optional<std::string> label;  // security.selinux; only a warning where it cannot be set
  std::vector<Xattr> xattrs;
  Flags<Keep> keep;  // Xattrs, Acls: those that `xattrs` does not name are removed
  bool operator==(const Attributes&) const = default;
};

// A new file that is being written. Destroyed without close(): closed, and nothing is promised.
class DiskFile {
 public:
  virtual ~DiskFile() = default;
  virtual void write(std::string_view bytes) = 0;  // all of it, at the end
  virtual void set_attributes(const Attributes& attributes) = 0;
  virtual void sync() = 0;  // a failure is final: the bytes are lost, a second try would lie
  virtual void close() = 0;
  virtual FileStat stat() = 0;
};

class DiskReader {
 public:
  virtual ~DiskReader() = default;
  virtual std::size_t read(std::span<char> into) = 0;  // 0: the end
};

// One file system, held from before it is written to, so that sync() also tells of failures that
// happened in between.
class DiskVolume {
 public:
  virtual ~DiskVolume() = default;
  virtual void sync() = 0;
  virtual Space space() = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;

  // A new file for writing; it is an error if the name exists.
  virtual std::unique_ptr<DiskFile> create(const std::string& path, std::uint32_t mode) = 0;
  // A regular file.
  virtual std::unique_ptr<DiskReader> open(const std::string& path) = 0;
  virtual std::optional<FileStat> stat(const std::string& path) = 0;
  virtual std::vector<std::string> list(const std::string& path) = 0;
  virtual std::string readlink(const std::string& path) = 0;
  virtual std::optional<std::string> label(const std::string& path) = 0;
  virtual std::vector<Xattr> xattrs(const std::string& path, Flags<Keep> keep) = 0;

  virtual void mkdir(const std::string& path, std::uint32_t mode) = 0;
  // Mode 0700, no inherited ACL; where we are root, it belongs to whoever owns the destination
  // root now, so that a later run as that user can finish or remove what we began.
  virtual void make_private_dir(const std::string& path) = 0;
  virtual void hand_over(const std::string& path) = 0;  // the same ownership, for what is there
  // Where we are root: it is root's, until it is handed over again.
  virtual void take_over(const std::string& path) = 0;
  virtual void symlink(const std::string& target, const std::string& path) = 0;
  virtual void mknod(const std::string& path, std::uint32_t mode_and_type, std::uint64_t rdev) = 0;
  virtual void link(const std::string& from, const std::string& to) = 0;
  // Of a file outside the tree; a disk that has no outside says EXDEV.
  virtual void link_from(const Dir& dir, std::string_view name, const std::string& to);
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void unlink(const std::string& path) = 0;
  virtual void rmdir(const std::string& path) = 0;
  // Sets only what differs, so that what is right already causes no event.
  virtual void set_attributes(const std::string& path, const Attributes& attributes) = 0;
  // The same for a directory, and for nothing else that may stand there meanwhile (ENOTDIR, ELOOP).
  virtual void set_dir_attributes(const std::string& path, const Attributes& attributes);

  virtual void sync_dir(const std::string& path) = 0;
  virtual std::unique_ptr<DiskVolume> open_volume(const std::string& path) = 0;
  virtual bool same_volume(const std::string& dir, const std::string& other_dir) = 0;
  // Whether DiskVolume::sync() tells of lost data; if not, files are fsynced one by one.
  virtual bool volume_sync_reports() = 0;
  // Whether names can be made and removed in the directory, and made safe.
  virtual bool writable(const std::string& dir) = 0;
  virtual Rights rights() { return {}; }
  virtual bool owned_by_us(const FileStat& st) = 0;  // ours, or its owner hands it to us
};

// The contents of a file of at most `limit` bytes; nothing when it is absent.
std::optional<std::string> read_if_exists(Disk& disk, const std::string& path, std::size_t limit);
// An object and everything below it; an absent one is removed already. Directories that we own are
// opened up where their mode keeps us out.
void remove_tree(Disk& disk, const std::string& path);

}  // namespace xs
