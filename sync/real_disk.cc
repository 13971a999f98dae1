// SPDX-License-Identifier: MIT
#include "sync/real_disk.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>

#include "base/io.h"
#include "base/text.h"
#include "sync/attributes.h"

namespace xs {
namespace {

constexpr std::size_t kHeldDirs = 8;
constexpr std::string_view kLabel = "security.selinux";

// From syncfs; since Linux 5.8.
bool kernel_reports_lost_data() {
  utsname kernel{};
  int major = 0;
  int minor = 0;
  if (::uname(&kernel) != 0 || std::sscanf(kernel.release, "%d.%d", &major, &minor) != 2) {
    return false;
  }
  return major > 5 || (major == 5 && minor >= 8);
}

bool is_absent(const Error& error) {
  return error.code() == ENOENT || error.code() == ENOTDIR || error.code() == ELOOP;
}

timespec to_timespec(std::int64_t ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  timespec time{ns / kSecond, ns % kSecond};
  if (time.tv_nsec < 0) {
    time.tv_nsec += kSecond;
    --time.tv_sec;
  }
  return time;
}

// What attributes are set on: an open file, or a name.
class OpenTarget {
 public:
  OpenTarget(const Fd& fd, const std::string& subject) : fd_(fd), subject_(subject) {}
  FileStat stat() const { return stat_fd(fd_, subject_); }
  void set_owner(std::uint32_t uid, std::uint32_t gid) const {
    if (::fchown(fd_.get(), uid, gid) != 0) throw_errno("chown", subject_);
  }
  void set_mode(std::uint32_t mode) const {
    if (::fchmod(fd_.get(), mode) != 0) throw_errno("chmod", subject_);
  }
  void set_mtime(std::int64_t ns) const {
    const timespec times[2]{{0, UTIME_OMIT}, to_timespec(ns)};
    if (::futimens(fd_.get(), times) != 0) throw_errno("utimens", subject_);
  }

 private:
  const Fd& fd_;
  const std::string& subject_;
};

class NamedTarget {
 public:
  NamedTarget(const Dir& dir, std::string_view name) : dir_(dir), name_(name) {}
  FileStat stat() const { return dir_.stat(name_); }
  void set_owner(std::uint32_t uid, std::uint32_t gid) const { dir_.set_owner(name_, uid, gid); }
  void set_mode(std::uint32_t mode) const { dir_.set_mode(name_, mode); }
  void set_mtime(std::int64_t ns) const { dir_.set_mtime(name_, ns); }

 private:
  const Dir& dir_;
  std::string_view name_;
};

// Each half for itself, so that a group that we may set is set even where the user is not ours.
// False when there was nothing to do.
template <class Target>
bool set_owners(const Target& target, const FileStat& now, const Attributes& wanted) {
  constexpr std::uint32_t kLeave = ~std::uint32_t{0};
  const auto set = [&](std::uint32_t uid, std::uint32_t gid) {
    try {
      target.set_owner(uid, gid);
    } catch (const Error& error) {
      if (error.code() != EPERM) throw;
      spdlog::warn("{}; the owner stays as it is", error.text());
    }
  };
  const bool user = wanted.uid.value_or(now.uid) != now.uid;
  const bool group = wanted.gid.value_or(now.gid) != now.gid;
  if (user && group && ::geteuid() == 0) {
    set(*wanted.uid, *wanted.gid);
    return true;
  }
  if (group) set(kLeave, *wanted.gid);
  if (user) set(*wanted.uid, kLeave);
  return user || group;
}

bool same_value(const Dir& dir, std::string_view name, const std::string& attribute,
                std::string_view value) {
  const auto now = get_xattr(dir, name, attribute);
  return now && *now == value;
}

void set_label(const Dir& dir, std::string_view name, const std::string& label) {
  try {
    if (!same_value(dir, name, std::string(kLabel), label)) {
      set_xattr(dir, name, std::string(kLabel), label);
    }
  } catch (const Error& error) {
    if (error.code() != EPERM && error.code() != EACCES && error.code() != ENOTSUP) throw;
    spdlog::warn("{}; the security label stays as it is", error.text());
  }
}

void set_xattrs(const Dir& dir, std::string_view name, const Attributes& wanted) {
  if (wanted.keep.has(Keep::Xattrs) || wanted.keep.has(Keep::Acls)) {
    for (const std::string& attribute : list_xattrs(dir, name)) {
      if (!manages(wanted.keep, attribute, ::geteuid() == 0)) continue;
      const bool stays = std::any_of(wanted.xattrs.begin(), wanted.xattrs.end(),
                                     [&](const Xattr& one) { return one.name == attribute; });
      if (!stays) remove_xattr(dir, name, attribute);
    }
  }
  for (const Xattr& one : wanted.xattrs) {
    if (!same_value(dir, name, one.name, one.value)) set_xattr(dir, name, one.name, one.value);
  }
  if (wanted.label) set_label(dir, name, *wanted.label);
}

// Owner first, because chown clears set-id bits; the mode after the ACL, whose mask it is; the time
// last, because everything else may move it.
template <class Target>
void apply(const Target& target, const Dir& dir, const std::string& name,
           const Attributes& wanted) {
  const FileStat now = target.stat();
  const bool chowned = set_owners(target, now, wanted);
  const bool marked = !wanted.xattrs.empty() || wanted.label || wanted.keep.bits() != 0;
  if (marked) set_xattrs(dir, name, wanted);
  if (wanted.mode && now.type() != EntryType::Symlink) {
    const FileStat after = chowned || marked ? target.stat() : now;
    if (*wanted.mode != after.permissions()) target.set_mode(*wanted.mode);
  }
  if (wanted.mtime_ns && *wanted.mtime_ns != now.mtime_ns) target.set_mtime(*wanted.mtime_ns);
}

class RealFile final : public DiskFile {
 public:
  RealFile(Fd fd, std::shared_ptr<const Dir> dir, std::string name)
      : fd_(std::move(fd)),
        dir_(std::move(dir)),
        name_(std::move(name)),
        subject_(dir_->subject(name_)) {}

  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const auto done = write_some(fd_.get(), bytes, subject_);
      bytes.remove_prefix(done.value_or(0));
    }
  }
  void set_attributes(const Attributes& attributes) override {
    apply(OpenTarget(fd_, subject_), *dir_, name_, attributes);
  }
  void sync() override {
    if (::fsync(fd_.get()) != 0) throw_errno("fsync", subject_);
  }
  void close() override { fd_.close(subject_); }
  FileStat stat() override { return stat_fd(fd_, subject_); }

 private:
  Fd fd_;
  std::shared_ptr<const Dir> dir_;
  std::string name_;
  std::string subject_;
};

class RealReader final : public DiskReader {
 public:
  RealReader(Fd fd, std::string subject) : fd_(std::move(fd)), subject_(std::move(subject)) {}
  std::size_t read(std::span<char> into) override {
    const auto got = read_some(fd_.get(), into, subject_);
    if (!got) throw_errno("read", subject_, EAGAIN);
    return *got;
  }

 private:
  Fd fd_;
  std::string subject_;
};

class RealVolume final : public DiskVolume {
 public:
  explicit RealVolume(Dir dir) : dir_(std::move(dir)) {}
  void sync() override { dir_.sync_filesystem(); }
  Space space() override { return dir_.space(); }

 private:
  Dir dir_;
};

}  // namespace

RealDisk::RealDisk(const Dir& root)
    : root_(root.walk("")), volume_sync_reports_(kernel_reports_lost_data()) {}

RealDisk::Held RealDisk::hold(std::string_view dir) {
  const std::lock_guard guard(lock_);
  const auto known =
      std::find_if(held_.begin(), held_.end(), [&](const Held& one) { return one->path() == dir; });
  if (known != held_.end()) {
    held_.splice(held_.begin(), held_, known);
  } else {
    held_.push_front(std::make_shared<const Dir>(root_.walk(dir)));
    if (held_.size() > kHeldDirs) held_.pop_back();
  }
  return held_.front();
}

RealDisk::Place RealDisk::place(std::string_view path) {
  const SplitPath parts = split_path(path);
  if (path.empty()) return {hold(""), std::string(Dir::kSelf)};
  return {hold(parts.parent), std::string(parts.name)};
}

std::optional<RealDisk::Place> RealDisk::place_if_exists(std::string_view path) {
  try {
    return place(path);
  } catch (const Error& error) {
    if (is_absent(error)) return std::nullopt;
    throw;
  }
}

// A directory that moved or went may be held under a path that is not its own any more.
void RealDisk::forget(std::string_view path) {
  const std::lock_guard guard(lock_);
  held_.remove_if([&](const Held& one) {
    const std::string_view held = one->path();
    return held.substr(0, path.size()) == path &&
           (held.size() == path.size() || held[path.size()] == '/');
  });
}

std::unique_ptr<DiskFile> RealDisk::create(const std::string& path, std::uint32_t mode) {
  Place at = place(path);
  Fd fd = at.dir->create_file(at.name, mode);
  return std::make_unique<RealFile>(std::move(fd), std::move(at.dir), std::move(at.name));
}

std::unique_ptr<DiskReader> RealDisk::open(const std::string& path) {
  const Place at = place(path);
  return std::make_unique<RealReader>(at.dir->open_file(at.name, O_RDONLY),
                                      at.dir->subject(at.name));
}

std::optional<FileStat> RealDisk::stat(const std::string& path) {
  const auto at = place_if_exists(path);
  if (!at) return std::nullopt;
  if (path.empty()) return at->dir->stat(Dir::kSelf);
  return at->dir->stat_if_exists(at->name);
}

std::vector<std::string> RealDisk::list(const std::string& path) {
  Listing listing;
  hold(path)->list(listing);
  std::vector<std::string> names;
  names.reserve(listing.size());
  for (std::size_t i = 0; i < listing.size(); ++i) names.emplace_back(listing.name(i));
  return names;
}

std::string RealDisk::readlink(const std::string& path) {
  const Place at = place(path);
  return at.dir->readlink(at.name);
}

std::optional<std::string> RealDisk::label(const std::string& path) {
  const Place at = place(path);
  return get_xattr(*at.dir, at.name, std::string(kLabel));
}

std::vector<Xattr> RealDisk::xattrs(const std::string& path, Flags<Keep> keep) {
  const Place at = place(path);
  return read_xattrs(*at.dir, at.name, keep);
}

void RealDisk::mkdir(const std::string& path, std::uint32_t mode) {
  const Place at = place(path);
  at.dir->mkdir(at.name, mode);
}

void RealDisk::make_private_dir(const std::string& path) {
  const Place at = place(path);
  at.dir->mkdir(at.name, 0700);
  // A default ACL of the parent would open what we make in here to others, and set its mask.
  for (const std::string& attribute : list_xattrs(*at.dir, at.name)) {
    if (is_acl(attribute)) remove_xattr(*at.dir, at.name, attribute);
  }
  Attributes only_us;
  only_us.mode = 0700;
  apply(NamedTarget(*at.dir, at.name), *at.dir, at.name, only_us);
  hand_over(path);
}

void RealDisk::hand_over(const std::string& path) {
  if (::geteuid() != 0) return;
  const FileStat owner = root_.stat(Dir::kSelf);
  const Place at = place(path);
  const FileStat now = at.dir->stat(at.name);
  if (now.uid != owner.uid || now.gid != owner.gid) {
    at.dir->set_owner(at.name, owner.uid, owner.gid);
  }
}

void RealDisk::take_over(const std::string& path) {
  if (::geteuid() != 0) return;
  const Place at = place(path);
  if (at.dir->stat(at.name).uid != 0) at.dir->set_owner(at.name, 0, 0);
}

void RealDisk::symlink(const std::string& target, const std::string& path) {
  const Place at = place(path);
  at.dir->symlink(target, at.name);
}

void RealDisk::mknod(const std::string& path, std::uint32_t mode_and_type, std::uint64_t rdev) {
  const Place at = place(path);
  at.dir->mknod(at.name, mode_and_type, rdev);
}

void RealDisk::link(const std::string& from, const std::string& to) {
  const Place source = place(from);
  const Place target = place(to);
  source.dir->link(source.name, *target.dir, target.name);
}

void RealDisk::link_from(const Dir& dir, std::string_view name, const std::string& to) {
  const Place target = place(to);
  dir.link(name, *target.dir, target.name);
}

void RealDisk::rename(const std::string& from, const std::string& to) {
  const Place source = place(from);
  const Place target = place(to);
  source.dir->rename(source.name, *target.dir, target.name);
  forget(from);
  forget(to);
}

void RealDisk::unlink(const std::string& path) {
  const Place at = place(path);
  at.dir->unlink(at.name);
}

void RealDisk::rmdir(const std::string& path) {
  const Place at = place(path);
  at.dir->rmdir(at.name);
  forget(path);
}

void RealDisk::set_attributes(const std::string& path, const Attributes& attributes) {
  const Place at = place(path);
  apply(NamedTarget(*at.dir, at.name), *at.dir, at.name, attributes);
}

void RealDisk::set_dir_attributes(const std::string& path, const Attributes& attributes) {
  const Held dir = hold(path);
  apply(NamedTarget(*dir, Dir::kSelf), *dir, std::string(Dir::kSelf), attributes);
}

void RealDisk::sync_dir(const std::string& path) { hold(path)->sync(); }

std::unique_ptr<DiskVolume> RealDisk::open_volume(const std::string& path) {
  return std::make_unique<RealVolume>(root_.walk(path));
}

bool RealDisk::same_volume(const std::string& dir, const std::string& other) {
  return hold(dir)->same_filesystem(*hold(other));
}

bool RealDisk::writable(const std::string& dir) {
  const Held held = hold(dir);
  if (::euidaccess(held->proc_path(Dir::kSelf).c_str(), R_OK | W_OK | X_OK) == 0) return true;
  // A file system that is read-only, or fails, is not mended by another mode.
  if (errno != EACCES) throw_errno("access", held->subject(Dir::kSelf));
  return false;
}

bool RealDisk::owned_by_us(const FileStat& st) {
  return st.uid == ::geteuid() || (::geteuid() == 0 && st.uid == root_.stat(Dir::kSelf).uid);
}

}  // namespace xs
