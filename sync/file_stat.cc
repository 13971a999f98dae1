// SPDX-License-Identifier: MIT
#include "sync/file_stat.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace xs {
namespace {

std::int64_t nanoseconds(const statx_timestamp& time) {
  std::int64_t total = 0;
  if (__builtin_mul_overflow(time.tv_sec, std::int64_t{1'000'000'000}, &total) ||
      __builtin_add_overflow(total, std::int64_t{time.tv_nsec}, &total)) {
    return time.tv_sec < 0 ? std::numeric_limits<std::int64_t>::min()
                           : std::numeric_limits<std::int64_t>::max();
  }
  return total;
}

}  // namespace

FileStat FileStat::from(const struct ::statx& raw) {
  FileStat st;
  st.dev = makedev(raw.stx_dev_major, raw.stx_dev_minor);
  st.ino = raw.stx_ino;
  st.size = raw.stx_size;
  st.rdev = makedev(raw.stx_rdev_major, raw.stx_rdev_minor);
  st.mtime_ns = nanoseconds(raw.stx_mtime);
  st.ctime_ns = nanoseconds(raw.stx_ctime);
  st.mode = raw.stx_mode;
  st.uid = raw.stx_uid;
  st.gid = raw.stx_gid;
  st.nlink = raw.stx_nlink;
  st.mount_root = (raw.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  st.immutable = (raw.stx_attributes & STATX_ATTR_IMMUTABLE) != 0;
  st.append_only = (raw.stx_attributes & STATX_ATTR_APPEND) != 0;
  return st;
}

EntryType FileStat::type() const {
  switch (mode & S_IFMT) {
    case S_IFDIR: return EntryType::Dir;
    case S_IFLNK: return EntryType::Symlink;
    case S_IFIFO: return EntryType::Fifo;
    case S_IFSOCK: return EntryType::Socket;
    case S_IFCHR: return EntryType::CharDevice;
    case S_IFBLK: return EntryType::BlockDevice;
    default: return EntryType::File;
  }
}

std::uint64_t FileStat::stamp() const {
  const std::array<std::uint64_t, 7> facts{dev,
                                           ino,
                                           size,
                                           static_cast<std::uint64_t>(mtime_ns),
                                           static_cast<std::uint64_t>(ctime_ns),
                                           mode,
                                           std::uint64_t{uid} << 32 | gid};
  return XXH3_64bits(facts.data(), sizeof facts);
}

std::optional<bool> Listing::is_dir(std::size_t at) const {
  if (names_[at].type == DT_UNKNOWN) return std::nullopt;
  return names_[at].type == DT_DIR;
}

void Listing::clear() {
  bytes_.clear();
  names_.clear();
}

void Listing::sort() {
  std::sort(names_.begin(), names_.end(), [this](const Name& a, const Name& b) {
    const int order = std::memcmp(bytes_.data() + a.offset, bytes_.data() + b.offset,
                                  std::min(a.length, b.length));
    return order != 0 ? order < 0 : a.length < b.length;
  });
}

void Listing::add(std::string_view name, std::uint8_t type) {
  if (bytes_.size() > std::numeric_limits<std::uint32_t>::max() - name.size()) {
    throw Error(Fault::Io, "a directory has more names than can be held");
  }
  names_.push_back(
      {static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint16_t>(name.size()), type});
  bytes_.append(name);
}

SplitPath split_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string join_path(std::string_view parent, std::string_view name) {
  std::string path;
  path.reserve(parent.size() + 1 + name.size());
  path.append(parent);
  if (!parent.empty()) path += '/';
  path.append(name);
  return path;
}

}  // namespace xs
