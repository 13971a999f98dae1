// SPDX-License-Identifier: MIT
#include "sync/dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/root_path.h"

namespace xs {
namespace {

constexpr int kDirFlags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr unsigned kStatMask = STATX_BASIC_STATS;

// A checked name with the NUL that the kernel wants, without an allocation.
class Component {
 public:
  explicit Component(std::string_view name) {
    if (!valid_name(name)) {
      throw Error(Fault::Protocol, quote(name) + " is not the name of a directory entry");
    }
    *std::copy(name.begin(), name.end(), text_.begin()) = '\0';
  }
  const char* get() const { return text_.data(); }

 private:
  std::array<char, limits::kName + 1> text_;
};

bool stat_at(int fd, const char* name, int flags, FileStat& into) {
  struct statx raw;
  if (::statx(fd, name, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kStatMask, &raw) != 0)
    return false;
  into = FileStat::from(raw);
  return true;
}

// The mount that a directory is reached through; 0 before Linux 5.8. False: errno says why.
bool mount_of(int fd, std::uint64_t& into) {
  struct statx raw;
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &raw) != 0) return false;
  into = (raw.stx_mask & STATX_MNT_ID) != 0 ? raw.stx_mnt_id : 0;
  return true;
}

bool absent(int err) { return err == ENOENT || err == ENOTDIR; }

}  // namespace

bool exhausted(int err) { return err == EMFILE || err == ENFILE || err == ENOMEM; }

FileStat stat_fd(const Fd& file, std::string_view subject) {
  FileStat st;
  if (!stat_at(file.get(), "", AT_EMPTY_PATH, st)) throw_errno("stat", subject);
  return st;
}

// ---- opening
// ----------------------------------------------------------------------------------------------

std::string Dir::subject(std::string_view name) const {
  if (name != kSelf) return join_path(path_, name);
  return path_.empty() ? root_ : path_;
}

void Dir::fail(std::string_view call, std::string_view name) const {
  const int err = errno;
  throw_errno(call, subject(name), err);
}

// An empty Fd inside means that it failed, with errno set.
Dir Dir::open_at(int parent, const char* name, std::string path, std::string root) {
  Fd fd(open_retried(parent, name, O_RDONLY | O_NONBLOCK | kDirFlags));
  const bool readable = static_cast<bool>(fd);
  if (!readable && errno == EACCES) fd = Fd(open_retried(parent, name, O_PATH | kDirFlags));
  return Dir(std::move(fd), std::move(path), readable, std::move(root));
}

Dir Dir::open_root(const std::string& path) {
  const Fd found = resolve_root(path);
  Dir root = open_at(found.get(), ".", "", path);
  if (!root.fd_) throw_errno(errno == ENOTDIR ? Fault::Selection : Fault::Partial, "open", path);
  return root;
}

Dir Dir::open_dir(std::string_view name) const {
  const Component component(name);
  Dir dir = open_at(fd_.get(), component.get(), join_path(path_, name), {});
  if (!dir.fd_) fail("open", name);
  return dir;
}

std::optional<Dir> Dir::open_dir_if_exists(std::string_view name) const {
  const Component component(name);
  Dir dir = open_at(fd_.get(), component.get(), join_path(path_, name), {});
  if (dir.fd_) return dir;
  if (errno == ENOENT) return std::nullopt;
  fail("open", name);
}

Dir Dir::walk(std::string_view path) const {
  if (path.empty()) {
    Dir again = open_at(fd_.get(), ".", path_, root_);
    if (!again.fd_) fail("open", kSelf);
    return again;
  }
  Fd held;
  std::string done = path_;
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/')) {
    const std::string_view name = path.substr(0, slash);
    const Component component(name);
    done = join_path(done, name);
    Fd next(open_retried(held ? held.get() : fd_.get(), component.get(), O_PATH | kDirFlags));
    if (!next) throw_errno("open", done);
    held = std::move(next);
    path.remove_prefix(slash + 1);
  }
  const Component component(path);
  done = join_path(done, path);
  Dir last = open_at(held ? held.get() : fd_.get(), component.get(), done, {});
  if (!last.fd_) throw_errno("open", done);
  return last;
}

std::optional<Fd> Dir::open_file_if_exists(std::string_view name, int flags) const {
  const Component component(name);
  // O_NONBLOCK: a fifo under the name must not hang us; it changes nothing for a regular file.
  Fd file(open_retried(fd_.get(), component.get(),
                       flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) fail("open", name);
  if (!stat_fd(file, subject(name)).is_file()) {
    throw Error(Fault::Io, "open " + quote(subject(name)) + ": not a regular file", EINVAL);
  }
  return file;
}

Fd Dir::open_file(std::string_view name, int flags) const {
  auto file = open_file_if_exists(name, flags);
  if (!file) throw_errno("open", subject(name), ENOENT);
  return std::move(*file);
}

Fd Dir::create_file(std::string_view name, unsigned mode) const {
  const Component component(name);
  Fd file(open_retried(fd_.get(), component.get(),
                       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) fail("create", name);
  return file;
}

Fd Dir::for_reading() const {
  Fd fd(open_retried(fd_.get(), ".", O_RDONLY | kDirFlags));
  if (!fd) fail("open", kSelf);
  return fd;
}

// ---- looking
// ----------------------------------------------------------------------------------------------

FileStat Dir::stat(std::string_view name) const {
  FileStat st;
  // The directory itself through its descriptor: "." would need the right to search it.
  const bool ok = name == kSelf ? stat_at(fd_.get(), "", AT_EMPTY_PATH, st)
                                : stat_at(fd_.get(), Component(name).get(), 0, st);
  if (!ok) fail("stat", name);
  return st;
}

std::optional<FileStat> Dir::stat_if_exists(std::string_view name) const {
  const Component component(name);
  FileStat st;
  if (stat_at(fd_.get(), component.get(), 0, st)) return st;
  if (absent(errno)) return std::nullopt;
  fail("stat", name);
}

void Dir::list(Listing& into) const {
  into.clear();
  const Fd own = readable_ ? Fd() : for_reading();
  const int fd = readable_ ? fd_.get() : own.get();
  if (::lseek(fd, 0, SEEK_SET) < 0) fail("list", kSelf);
  alignas(dirent64) std::array<char, 65536> buffer;
  for (;;) {
    const long got = ::syscall(SYS_getdents64, fd, buffer.data(), buffer.size());
    if (got < 0) fail("list", kSelf);
    if (got == 0) return;
    for (long at = 0; at < got;) {
      const auto* raw = reinterpret_cast<const dirent64*>(buffer.data() + at);
      const std::string_view name(raw->d_name);
      if (name != "." && name != "..") into.add(name, raw->d_type);
      at += raw->d_reclen;
    }
  }
}

std::string Dir::readlink(std::string_view name) const {
  const Component component(name);
  auto target = read_link(fd_.get(), component.get());
  if (!target) fail("readlink", name);
  return std::move(*target);
}

// ---- changing
// ---------------------------------------------------------------------------------------------

void Dir::mkdir(std::string_view name, unsigned mode) const {
  if (::mkdirat(fd_.get(), Component(name).get(), mode) != 0) fail("mkdir", name);
}

void Dir::symlink(std::string_view target, std::string_view name) const {
  const std::string text(target);
  if (text.find('\0') != std::string::npos) {
    throw Error(Fault::Protocol, "the target of " + quote(subject(name)) + " holds a NUL");
  }
  if (::symlinkat(text.c_str(), fd_.get(), Component(name).get()) != 0) fail("symlink", name);
}

void Dir::mknod(std::string_view name, std::uint32_t mode_and_type, std::uint64_t rdev) const {
  if (::mknodat(fd_.get(), Component(name).get(), mode_and_type, rdev) != 0) fail("mknod", name);
}

void Dir::link(std::string_view name, const Dir& to, std::string_view new_name) const {
  const Component from(name);
  if (::linkat(fd_.get(), from.get(), to.fd_.get(), Component(new_name).get(), 0) != 0) {
    to.fail("link", new_name);
  }
}

void Dir::rename(std::string_view name, const Dir& to, std::string_view new_name) const {
  const Component from(name);
  if (::renameat(fd_.get(), from.get(), to.fd_.get(), Component(new_name).get()) != 0) {
    to.fail("rename", new_name);
  }
}

void Dir::unlink(std::string_view name) const {
  if (::unlinkat(fd_.get(), Component(name).get(), 0) != 0) fail("unlink", name);
}

void Dir::rmdir(std::string_view name) const {
  if (::unlinkat(fd_.get(), Component(name).get(), AT_REMOVEDIR) != 0) fail("rmdir", name);
}

void Dir::set_mode(std::string_view name, std::uint32_t mode) const {
  // fchmodat follows symbolic links before Linux 6.6, so the inode is held first and its type
  // looked at.
  std::string path = proc_path(name);
  Fd held;
  if (name != kSelf) {
    held = Fd(open_retried(fd_.get(), Component(name).get(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!held) fail("chmod", name);
    if (stat_fd(held, subject(name)).type() == EntryType::Symlink) {
      throw_errno("chmod", subject(name), ELOOP);
    }
    path = "/proc/self/fd/" + std::to_string(held.get());
  }
  if (::chmod(path.c_str(), mode) != 0) fail("chmod", name);
}

void Dir::set_owner(std::string_view name, std::uint32_t uid, std::uint32_t gid) const {
  const int done =
      name == kSelf ? ::fchownat(fd_.get(), "", uid, gid, AT_EMPTY_PATH)
                    : ::fchownat(fd_.get(), Component(name).get(), uid, gid, AT_SYMLINK_NOFOLLOW);
  if (done != 0) fail("chown", name);
}

void Dir::set_mtime(std::string_view name, std::int64_t mtime_ns) const {
  constexpr std::int64_t kSecond = 1'000'000'000;
  timespec times[2]{{0, UTIME_OMIT}, {mtime_ns / kSecond, mtime_ns % kSecond}};
  if (times[1].tv_nsec < 0) {
    times[1].tv_nsec += kSecond;
    --times[1].tv_sec;
  }
  const int done = name == kSelf
                       ? ::utimensat(AT_FDCWD, proc_path(kSelf).c_str(), times, 0)
                       : ::utimensat(fd_.get(), Component(name).get(), times, AT_SYMLINK_NOFOLLOW);
  if (done != 0) fail("utimens", name);
}

// Both times, because one alone is told as a write.
void Dir::touch(std::string_view name) const {
  const Component at(name);
  struct stat st {};
  if (::fstatat(fd_.get(), at.get(), &st, AT_SYMLINK_NOFOLLOW) != 0) fail("stat", name);
  const timespec times[2]{st.st_atim, st.st_mtim};
  if (::utimensat(fd_.get(), at.get(), times, AT_SYMLINK_NOFOLLOW) != 0) fail("utimens", name);
}

// ---- the file system
// --------------------------------------------------------------------------------------

void Dir::sync() const {
  const Fd own = readable_ ? Fd() : for_reading();
  if (::fsync(readable_ ? fd_.get() : own.get()) != 0) fail("fsync", kSelf);
}

void Dir::sync_filesystem() const {
  const Fd own = readable_ ? Fd() : for_reading();
  if (::syncfs(readable_ ? fd_.get() : own.get()) != 0) fail("syncfs", kSelf);
}

Space Dir::space() const {
  struct statvfs raw {};
  while (::fstatvfs(fd_.get(), &raw) != 0) {
    if (errno != EINTR) fail("statfs", kSelf);
  }
  Space space;
  if (__builtin_mul_overflow(raw.f_bavail, raw.f_frsize, &space.bytes))
    space.bytes = Space::kUnknown;
  if (raw.f_files != 0) space.inodes = raw.f_favail;
  return space;
}

bool Dir::same_filesystem(const Dir& other) const {
  if (stat(kSelf).dev != other.stat(kSelf).dev) return false;
  std::uint64_t ours = 0;
  std::uint64_t theirs = 0;
  if (!mount_of(fd_.get(), ours)) fail("stat", kSelf);
  if (!mount_of(other.fd_.get(), theirs)) other.fail("stat", kSelf);
  return ours == theirs;
}

std::string Dir::proc_path(std::string_view name) const {
  // The slash makes even a call that follows no link enter the directory.
  const std::string self = "/proc/self/fd/" + std::to_string(fd_.get()) + "/";
  return name == kSelf ? self : self + Component(name).get();
}

}  // namespace xs
