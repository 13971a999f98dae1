// SPDX-License-Identifier: MIT
#include "tests/crash/fault_calls.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace xs::test {
namespace {

constexpr std::string_view kOwnDescriptors = "/proc/self/fd/";

using List = std::vector<Failure>;
const List kLook{EIO, ENOMEM, EACCES};
const List kName{ENOSPC, EIO, EDQUOT, ENOMEM, EROFS, EACCES};
const List kSync{EIO, ENOSPC, EDQUOT};
const List kSet{ENOSPC, EIO, EDQUOT, ENOMEM, EROFS, EACCES};
const List kRead{EIO, ENOMEM, EINTR, kShort};
const List kWrite{ENOSPC, EIO, EDQUOT, ENOMEM, EINTR, kShort};

// Where the system has the number at all; the older calls are missing on newer machines.
void add_if_known(std::vector<CallKind>& kinds) {
#ifdef SYS_open
  kinds.push_back({SYS_open, "open", Names::Path, {EIO, EMFILE, ENOMEM, EACCES, EINTR}});
  kinds.push_back({SYS_stat, "stat", Names::Path, kLook});
  kinds.push_back({SYS_lstat, "lstat", Names::Path, kLook});
  kinds.push_back({SYS_access, "access", Names::Path, kLook});
  kinds.push_back({SYS_readlink, "readlink", Names::Path, kLook});
  kinds.push_back({SYS_chmod, "chmod", Names::Path, kSet});
#endif
#ifdef SYS_newfstatat
  kinds.push_back({SYS_newfstatat, "newfstatat", Names::At, kLook});
#endif
#ifdef SYS_renameat
  kinds.push_back({SYS_renameat, "renameat", Names::SecondAt, kName});
#endif
#ifdef SYS_faccessat2
  kinds.push_back({SYS_faccessat2, "faccessat2", Names::At, kLook});
#endif
}

std::vector<CallKind> make_kinds() {
  std::vector<CallKind> kinds{
      {SYS_openat,
       "openat",
       Names::At,
       {ENOSPC, EIO, EDQUOT, EMFILE, ENOMEM, EROFS, EACCES, EINTR}},
      {SYS_read, "read", Names::Descriptor, kRead},
      {SYS_pread64, "pread", Names::Descriptor, kRead},
      {SYS_write, "write", Names::Descriptor, kWrite},
      {SYS_pwrite64, "pwrite", Names::Descriptor, kWrite},
      {SYS_fsync, "fsync", Names::Descriptor, kSync},
      {SYS_fdatasync, "fdatasync", Names::Descriptor, kSync},
      {SYS_syncfs, "syncfs", Names::Descriptor, kSync},
      {SYS_sync_file_range, "sync_file_range", Names::Descriptor, kSync},
      {SYS_fallocate, "fallocate", Names::Descriptor, {ENOSPC, EIO, EDQUOT}},
      {SYS_ftruncate, "ftruncate", Names::Descriptor, {EIO, ENOSPC, EDQUOT, EINTR}},
      {SYS_close, "close", Names::Descriptor, {EIO, ENOSPC, EDQUOT}},
      {SYS_renameat2, "renameat2", Names::SecondAt, kName},
      {SYS_linkat, "linkat", Names::SecondAt, {ENOSPC, EIO, EDQUOT, ENOMEM, EROFS, EACCES, EMLINK}},
      {SYS_unlinkat, "unlinkat", Names::At, kName},
      {SYS_mkdirat, "mkdirat", Names::At, kName},
      {SYS_mknodat, "mknodat", Names::At, kName},
      {SYS_symlinkat, "symlinkat", Names::SymlinkAt, kName},
      {SYS_fchmod, "fchmod", Names::Descriptor, kSet},
      {SYS_fchmodat, "fchmodat", Names::At, kSet},
      {SYS_fchown, "fchown", Names::Descriptor, kSet},
      {SYS_fchownat, "fchownat", Names::At, kSet},
      {SYS_utimensat, "utimensat", Names::At, kSet},
      {SYS_statx, "statx", Names::At, kLook},
      {SYS_fstat, "fstat", Names::Descriptor, {EIO, ENOMEM}},
      {SYS_faccessat, "faccessat", Names::At, kLook},
      {SYS_readlinkat, "readlinkat", Names::At, kLook},
      {SYS_getdents64, "getdents64", Names::Descriptor, {EIO, ENOMEM}},
      {SYS_fstatfs, "fstatfs", Names::Descriptor, {EIO, ENOMEM, EINTR}},
      {SYS_flock, "flock", Names::Descriptor, {ENOMEM, EINTR}},
      {SYS_getxattr, "getxattr", Names::Path, kLook},
      {SYS_listxattr, "listxattr", Names::Path, kLook},
      {SYS_setxattr, "setxattr", Names::Path, kSet},
      {SYS_removexattr, "removexattr", Names::Path, kSet},
      {SYS_fgetxattr, "fgetxattr", Names::Descriptor, kLook},
      {SYS_flistxattr, "flistxattr", Names::Descriptor, kLook},
      {SYS_mmap, "mmap", Names::Nothing, {ENOMEM}},
      {SYS_pipe2, "pipe2", Names::Nothing, {EMFILE, ENOMEM}},
      {SYS_socketpair, "socketpair", Names::Nothing, {EMFILE, ENOMEM}}};
  add_if_known(kinds);
  return kinds;
}

std::string link_text(const std::string& path) {
  std::array<char, 4096> text;
  const ssize_t length = ::readlink(path.c_str(), text.data(), text.size());
  return length < 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(length));
}

std::string descriptor_path(pid_t task, std::uint64_t fd) {
  const std::string proc = "/proc/" + std::to_string(task);
  if (static_cast<int>(fd) == AT_FDCWD) return link_text(proc + "/cwd");
  return link_text(proc + "/fd/" + std::to_string(static_cast<int>(fd)));
}

std::string text_at(pid_t task, std::uint64_t address) {
  std::array<char, 4097> text{};
  iovec here{text.data(), text.size() - 1};
  iovec there{reinterpret_cast<void*>(address), text.size() - 1};
  if (address == 0 || ::process_vm_readv(task, &here, 1, &there, 1, 0) <= 0) return {};
  return text.data();
}

// A program also names an open file by its descriptor below /proc.
std::string resolved(pid_t task, const std::string& path) {
  if (path.compare(0, kOwnDescriptors.size(), kOwnDescriptors) != 0) return path;
  const std::size_t slash = std::min(path.find('/', kOwnDescriptors.size()), path.size());
  const std::string number = path.substr(kOwnDescriptors.size(), slash - kOwnDescriptors.size());
  const std::string rest = path.substr(slash);
  std::string open = link_text("/proc/" + std::to_string(task) + "/fd/" + number);
  return rest.size() <= 1 ? open : open + rest;
}

std::string path_below(pid_t task, std::uint64_t dir, const std::string& name) {
  if (!name.empty() && name.front() == '/') return resolved(task, name);
  const std::string above = descriptor_path(task, dir);
  return name.empty() || name == "." ? above : above + '/' + name;
}

std::string subject_of(pid_t task, Names names, const std::uint64_t (&args)[6]) {
  switch (names) {
    case Names::Descriptor: return descriptor_path(task, args[0]);
    case Names::At: return path_below(task, args[0], text_at(task, args[1]));
    case Names::SecondAt: return path_below(task, args[2], text_at(task, args[3]));
    case Names::SymlinkAt: return path_below(task, args[1], text_at(task, args[2]));
    case Names::Path:
      return path_below(task, static_cast<std::uint64_t>(AT_FDCWD), text_at(task, args[0]));
    case Names::Nothing: return {};
  }
  return {};
}

bool opens(const Call& call) { return call.kind->number == SYS_openat; }

bool would_write(const Call& call) {
  const auto flags = static_cast<int>(call.args[2]);
  return (flags & O_CREAT) != 0 || (flags & O_ACCMODE) != O_RDONLY;
}

}  // namespace

bool invisible(Failure failure) { return failure == EINTR || failure == kShort; }

std::string name_of(Failure failure) {
  return failure == kShort ? "short" : ::strerrorname_np(failure);
}

const std::vector<CallKind>& call_kinds() {
  static const std::vector<CallKind> kinds = make_kinds();
  return kinds;
}

bool Call::can(Failure failure) const {
  const auto& known = kind->failures;
  if (std::find(known.begin(), known.end(), failure) == known.end()) return false;
  if (kind->names == Names::Nothing) return true;
  const bool standard = kind->names == Names::Descriptor && args[0] <= STDERR_FILENO;
  if (standard) return false;
  if (!is_file()) return invisible(failure) && !subject.empty();
  if (failure == kShort) return args[2] > 1;
  if (!opens(*this)) return true;
  if (failure == ENOSPC || failure == EDQUOT) return (args[2] & O_CREAT) != 0;
  return failure != EROFS || would_write(*this);
}

std::vector<Failure> Call::failures() const {
  std::vector<Failure> found;
  for (const Failure failure : kind->failures)
    if (can(failure)) found.push_back(failure);
  return found;
}

Call describe_call(pid_t task, int number, const std::uint64_t (&args)[6]) {
  Call call;
  const auto& kinds = call_kinds();
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [&](const CallKind& kind) { return kind.number == number; });
  if (found == kinds.end()) return call;
  call.kind = &*found;
  std::copy(std::begin(args), std::end(args), std::begin(call.args));
  call.subject = subject_of(task, found->names, args);
  return call;
}

}  // namespace xs::test
