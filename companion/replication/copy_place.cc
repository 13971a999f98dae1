// SPDX-License-Identifier: MIT
#include "companion/replication/copy_place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/owned_file.h"

namespace xs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMine = "made-by-xroad-companion";
constexpr const char* kSwap = "swap";
constexpr unsigned kExchange =
    2;  // RENAME_EXCHANGE, which glibc of RHEL 8 keeps behind _GNU_SOURCE

std::uint64_t inode_of(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_ino : 0;
}

void rename_path(const std::string& from, const std::string& to) {
  if (path_exists(to)) throw Error(Fault::Refused, quote(to) + " exists already: move it away");
  if (::rename(from.c_str(), to.c_str()) != 0) throw_errno("rename", from);
}

// False where the file system cannot.
bool exchange_paths(const std::string& one, const std::string& other) {
  if (::syscall(SYS_renameat2, AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), kExchange) == 0) {
    return true;
  }
  if (errno != EINVAL && errno != ENOSYS) throw_errno("rename", one);
  return false;
}

void sync_directory(const std::string& path) {
  const Fd fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0) throw_errno("fsync", path);
}

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw Error(Fault::Io, "cannot remove " + quote(path) + ": " + error.message());
}

}  // namespace

CopyPlace::CopyPlace(Cluster cluster)
    : cluster_(std::move(cluster)), directory_(cluster_.data + ".xroad-companion") {}

void CopyPlace::check() const {
  if (!path_exists(directory_) || has(kMine)) return;
  const AsOwner rights(directory_user(directory_, cluster_));
  if (fs::is_directory(directory_) && fs::is_empty(directory_)) return;  // killed at its making
  throw Error(Fault::Refused, quote(directory_) + " is not ours: move it away");
}

bool CopyPlace::holds_old() const {
  const auto made = record();
  if (!made) return false;
  const AsOwner rights(cluster_.user);
  return path_exists(copy()) && inode_of(copy()) != made->inode;
}

void CopyPlace::refuse_old() const {
  if (!holds_old()) return;
  throw Error(Fault::Refused, quote(copy()) +
                                  " is old data of a change that was broken off, and not the copy: "
                                  "look at it, and move it away");
}

void CopyPlace::make_room() const {
  check();
  directory_step(directory_, 0700, cluster_).act();
  note(kMine);
  if (swapped()) finish_swap();
  if (put_back_begun()) put_back();
  refuse_old();
  for (const char* fact : {kSwap, "verified", "prepared"}) forget(fact);  // of another copy
  const AsOwner rights(cluster_.user);
  if (path_exists(copy())) remove_tree(copy());
}

void CopyPlace::discard() const {
  if (path_exists(directory_) && !has("verified") && !has(kSwap)) clear();
}

bool CopyPlace::has(const std::string& fact) const {
  return path_exists(directory_) && read_owned(directory_ + "/" + fact, cluster_).has_value();
}

bool CopyPlace::has(const std::string& fact, const std::string& value) const {
  return path_exists(directory_) && read_owned(directory_ + "/" + fact, cluster_) == value;
}

void CopyPlace::note(const std::string& fact, const std::string& value) const {
  write_owned(directory_ + "/" + fact, value, 0600, cluster_);
}

void CopyPlace::forget(const std::string& fact) const {
  const AsOwner rights(cluster_.user);
  const std::string path = directory_ + "/" + fact;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("unlink", path);
}

std::optional<CopyPlace::Record> CopyPlace::record() const {
  if (!path_exists(directory_)) return std::nullopt;
  const auto text = read_owned(directory_ + "/" + kSwap, cluster_);
  if (!text) return std::nullopt;
  const std::size_t blank = text->find(' ');
  const auto inode = parse_number(std::string_view(*text).substr(0, blank));
  if (blank == std::string::npos || !inode) {
    throw Error(Fault::Io, quote(directory_ + "/" + kSwap) + " is damaged");
  }
  return Record{*inode, text->substr(blank + 1)};
}

bool CopyPlace::swapped() const {
  const auto made = record();
  return made && inode_of(cluster_.data) == made->inode;
}

bool CopyPlace::needs_swap() const {
  if (!path_exists(directory_)) return false;
  const AsOwner rights(cluster_.user);
  return path_exists(copy());
}

std::string CopyPlace::old_data() const {
  const auto made = record();
  return made ? made->old_name : "";
}

// A run that follows in the same second, or a clock that was set back, finds the first name taken.
std::string CopyPlace::free_name(const Wall& wall) const {
  std::string time = utc_text(wall());
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  const std::string first = cluster_.data + ".old-" + time;
  std::string name = first;
  for (int i = 2; path_exists(name); ++i) name = first + "-" + std::to_string(i);
  return name;
}

// An exchange where there can be one, so that there is always a data directory.
void CopyPlace::put_in_place(const Wall& wall) const {
  if (!swapped()) {
    require_no_server(cluster_);
    refuse_old();
    const bool there = path_exists(cluster_.data);
    auto made = record();
    if (!made || made->inode != inode_of(copy())) {
      const AsOwner rights(cluster_.user);
      made = Record{inode_of(copy()), there ? free_name(wall) : ""};
    }
    note(kSwap, std::to_string(made->inode) + " " + made->old_name);
    const AsOwner rights(directory_user(parent_of(cluster_.data), cluster_));
    if (!there) {
      rename_path(copy(), cluster_.data);
    } else if (!exchange_paths(cluster_.data, copy())) {
      rename_path(cluster_.data, made->old_name);
      rename_path(copy(), cluster_.data);
    }
    sync_directory(parent_of(cluster_.data));
  }
  finish_swap();
}

void CopyPlace::finish_swap() const {
  const auto made = record();
  const AsOwner rights(directory_user(parent_of(cluster_.data), cluster_));
  if (made && path_exists(copy())) rename_path(copy(), made->old_name);
  sync_directory(parent_of(cluster_.data));
}

bool CopyPlace::put_back_begun() const {
  const auto made = record();
  // A swap that goes forward has a copy that is prepared.
  return made && !made->old_name.empty() && !has("prepared") && !path_exists(cluster_.data) &&
         path_exists(made->old_name);
}

void CopyPlace::put_back() const {
  const auto made = record();
  if (made && put_back_begun()) {
    {
      const AsOwner rights(directory_user(parent_of(cluster_.data), cluster_));
      rename_path(made->old_name, cluster_.data);
      sync_directory(parent_of(cluster_.data));
    }
    return forget(kSwap);
  }
  if (!made || !swapped()) return;
  require_no_server(cluster_);
  forget("verified");
  forget("prepared");
  {
    const AsOwner rights(directory_user(parent_of(cluster_.data), cluster_));
    if (path_exists(copy())) {  // the swap itself had stopped half-way
      rename_path(copy(), made->old_name);
    }
    rename_path(cluster_.data, copy());
    if (!made->old_name.empty()) rename_path(made->old_name, cluster_.data);
    sync_directory(parent_of(cluster_.data));
  }
  forget(kSwap);
}

void CopyPlace::clear() const {
  check();
  if (!path_exists(directory_)) return;
  refuse_old();
  const AsOwner rights(directory_user(parent_of(directory_), cluster_));
  remove_tree(directory_);
}

}  // namespace xs
