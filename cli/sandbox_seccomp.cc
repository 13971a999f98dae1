// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <vector>

#include "base/error.h"
#include "cli/sandbox.h"

namespace xs::cli {

#if defined(__x86_64__) || defined(__aarch64__)
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#else
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif
constexpr std::uint32_t kX32Bit = 0x40000000;  // the same calls under other numbers
constexpr std::uint32_t kNewest = 446;         // the newest that was weighed for this list
constexpr std::uint32_t kTmpFile = 020000000;  // O_TMPFILE without its O_DIRECTORY

// Whatever their arguments. The frequent ones first.
constexpr auto kAllowed = std::to_array<int>({
    __NR_read,         __NR_write,           __NR_statx,         __NR_close,
    __NR_getdents64,   __NR_ppoll,           __NR_lgetxattr,     __NR_llistxattr,
    __NR_fstat,        __NR_newfstatat,      __NR_readlinkat,    __NR_lseek,
    __NR_pread64,      __NR_writev,          __NR_munmap,        __NR_mremap,
    __NR_brk,          __NR_madvise,         __NR_clock_gettime, __NR_clock_nanosleep,
    __NR_nanosleep,    __NR_gettimeofday,    __NR_recvfrom,      __NR_shutdown,
    __NR_getxattr,     __NR_fgetxattr,       __NR_listxattr,     __NR_flistxattr,
    __NR_statfs,       __NR_fstatfs,         __NR_faccessat,     __NR_fadvise64,
    __NR_futex,        __NR_getrandom,       __NR_sysinfo,       __NR_uname,
    __NR_getpid,       __NR_gettid,          __NR_getuid,        __NR_geteuid,
    __NR_getgid,       __NR_getegid,         __NR_rt_sigaction,  __NR_rt_sigprocmask,
    __NR_rt_sigreturn, __NR_restart_syscall, __NR_sched_yield,   __NR_exit,
    __NR_exit_group,
#ifdef __NR_poll
    __NR_poll,
#endif
#ifdef __NR_stat
    __NR_stat,         __NR_lstat,           __NR_access,        __NR_readlink,
    __NR_time,
#endif
#ifdef __NR_faccessat2
    __NR_faccessat2,
#endif
});

enum class Test : std::uint8_t { NoBits, Zero, OneOf };

// Allowed only while one argument is harmless.
struct Conditional {
  int call;
  unsigned argument;
  Test test;
  std::vector<std::uint32_t> values;
};

std::vector<Conditional> conditionals() {
  constexpr std::uint32_t kWriting = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | kTmpFile;
  return {
      {__NR_openat, 2, Test::NoBits, {kWriting}},
      {__NR_mmap, 2, Test::NoBits, {PROT_EXEC}},
      {__NR_mprotect, 2, Test::NoBits, {PROT_EXEC}},
      {__NR_fcntl, 1, Test::OneOf, {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC}},
      {__NR_sendto, 4, Test::Zero, {}},  // only where the socket was connected before
      {__NR_prlimit64, 2, Test::Zero, {}},
      {__NR_tgkill, 0, Test::OneOf, {static_cast<std::uint32_t>(::getpid())}},  // abort()
  };
}

class Program {
 public:
  std::vector<sock_filter> make() {
    load(offsetof(seccomp_data, arch));
    jump(BPF_JEQ, kArchitecture, 1, 0);
    end(SECCOMP_RET_KILL_PROCESS);  // another architecture's numbers: no call of ours
    load(offsetof(seccomp_data, nr));
    jump(BPF_JGE, kX32Bit, 0, 1);
    end(SECCOMP_RET_ERRNO | EPERM);
    for (const int call : kAllowed) {
      jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 1);
      end(SECCOMP_RET_ALLOW);
    }
    for (const Conditional& one : conditionals()) add(one);
    jump(BPF_JGT, kNewest, 0, 1);
    end(SECCOMP_RET_ERRNO | ENOSYS);
    end(SECCOMP_RET_ERRNO | EPERM);
    return std::move(code_);
  }

 private:
  void load(std::size_t offset) {
    code_.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)});
  }
  void jump(std::uint16_t test, std::uint32_t value, std::size_t yes, std::size_t no) {
    code_.push_back({static_cast<std::uint16_t>(BPF_JMP | test | BPF_K),
                     static_cast<std::uint8_t>(yes), static_cast<std::uint8_t>(no), value});
  }
  void end(std::uint32_t verdict) { code_.push_back({BPF_RET | BPF_K, 0, 0, verdict}); }

  // Both architectures are little-endian: the low half of an argument comes first.
  void add(const Conditional& one) {
    Program body;
    const std::size_t argument =
        offsetof(seccomp_data, args) + one.argument * sizeof(std::uint64_t);
    body.load(argument);
    switch (one.test) {
      case Test::NoBits: body.jump(BPF_JSET, one.values.front(), 1, 0); break;
      case Test::Zero:
        body.jump(BPF_JEQ, 0, 0, 3);
        body.load(argument + 4);
        body.jump(BPF_JEQ, 0, 0, 1);
        break;
      case Test::OneOf:
        for (std::size_t left = one.values.size(); left > 0; --left)
          body.jump(BPF_JEQ, one.values[left - 1], left - 1, left == 1 ? 1 : 0);
        break;
    }
    body.end(SECCOMP_RET_ALLOW);
    body.end(SECCOMP_RET_ERRNO | EPERM);
    jump(BPF_JEQ, static_cast<std::uint32_t>(one.call), 0, body.code_.size());
    code_.insert(code_.end(), body.code_.begin(), body.code_.end());
  }

  std::vector<sock_filter> code_;
};

}  // namespace

bool restrict_system_calls() {
  std::vector<sock_filter> code = Program().make();
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program) == 0)
    return true;
  // Linux before 4.14 does not know the flag.
  if (errno == EINVAL && ::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0)
    return true;
  if (errno == EINVAL || errno == ENOSYS) return false;
  throw_errno(Fault::Start, "seccomp", "the sandbox");
}

#else

bool restrict_system_calls() { return false; }

#endif

}  // namespace xs::cli
