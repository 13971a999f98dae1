// SPDX-License-Identifier: MIT
#include "tests/crash/kill_tracer.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/fd.h"

namespace xs::test {
namespace {

namespace fs = std::filesystem;

std::string slurp(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

Fd open_for_output(const fs::path& home, const char* name) {
  Fd fd(::open((home / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) throw_errno("open", name);
  return fd;
}

int signal_to_pass(int status) {
  const int signal = WSTOPSIG(status);
  const bool ours = signal == (SIGTRAP | 0x80) || signal == SIGTRAP || signal == SIGSTOP;
  return ours ? 0 : signal;
}

// The engine walks to its root one component at a time, so the last one is what it names.
bool opens_destination(pid_t tid, const struct __ptrace_syscall_info& info) {
  if (info.entry.nr != SYS_openat) return false;
  const std::string wanted = kLiveName;
  std::string name(wanted.size() + 1, '\0');
  iovec here{name.data(), name.size()};
  iovec there{reinterpret_cast<void*>(info.entry.args[1]), name.size()};
  if (::process_vm_readv(tid, &here, 1, &there, 1, 0) <= 0) return false;
  return name.compare(0, name.size(), wanted.c_str(), wanted.size() + 1) == 0;
}

bool is_counted_entry(pid_t tid, int status, std::uint64_t counted) {
  if (WSTOPSIG(status) != (SIGTRAP | 0x80)) return false;
  struct __ptrace_syscall_info info {};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) < 0)
    throw_errno("ptrace", "system call information");
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return false;
  return counted > 0 || opens_destination(tid, info);
}

}  // namespace

Runner::Runner(fs::path home) : home_(std::move(home)) {
  // The server of a killed client becomes ours, so that we can wait for its end.
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) throw_errno("prctl", "child subreaper");
}

Ended Runner::run(const std::vector<std::string>& argv) {
  const pid_t pid = start(argv, [] {});
  Ended ended;
  if (::waitpid(pid, &ended.status, 0) != pid) throw_errno("waitpid", argv[0]);
  return collect(std::move(ended));
}

Ended Runner::trace(const std::vector<std::string>& argv, std::uint64_t kill_at) {
  const pid_t pid = start(argv, [] {
    ::ptrace(PTRACE_TRACEME, 0, 0, 0);
    ::raise(SIGSTOP);
  });
  Ended ended;
  if (::waitpid(pid, &ended.status, 0) != pid || !WIFSTOPPED(ended.status))
    throw_errno("waitpid", argv[0]);
  constexpr long kOptions = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;
  if (::ptrace(PTRACE_SETOPTIONS, pid, 0, kOptions) != 0) throw_errno("ptrace", argv[0]);
  pid_t tid = pid;
  int signal = 0;
  for (;;) {
    if (::ptrace(PTRACE_SYSCALL, tid, 0, signal) != 0 && errno != ESRCH)
      throw_errno("ptrace", argv[0]);
    tid = ::waitpid(-1, &ended.status, __WALL);
    if (tid < 0) throw_errno("waitpid", argv[0]);
    if (!WIFSTOPPED(ended.status)) {
      if (tid == pid) return collect(std::move(ended));
      signal = 0;
      tid = pid;
      continue;
    }
    signal = signal_to_pass(ended.status);
    if (!is_counted_entry(tid, ended.status, ended.calls)) continue;
    if (++ended.calls < kill_at) continue;
    ended.killed = true;
    ::kill(pid, SIGKILL);
    if (::waitpid(pid, &ended.status, __WALL) != pid) throw_errno("waitpid", argv[0]);
    return collect(std::move(ended));
  }
}

pid_t Runner::start(const std::vector<std::string>& argv, const std::function<void()>& in_child) {
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const Fd out = open_for_output(home_, "out");
  const Fd err = open_for_output(home_, "err");
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("fork", argv[0]);
  if (pid > 0) return pid;
  ::dup2(out.get(), STDOUT_FILENO);
  ::dup2(err.get(), STDERR_FILENO);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  in_child();
  ::execvp(words[0], words.data());
  ::_exit(127);
}

// Everything that the program left behind ends before the next one starts.
Ended Runner::collect(Ended ended) const {
  while (::waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {
  }
  ended.out = slurp(home_ / "out");
  ended.err = slurp(home_ / "err");
  return ended;
}

Home::Home(const std::string& name) {
  struct statfs shm {};
  constexpr long kTmpfs = 0x01021994;
  const bool fast = ::statfs("/dev/shm", &shm) == 0 && shm.f_type == kTmpfs;
  std::string pattern =
      (fast ? fs::path("/dev/shm") : fs::temp_directory_path()) / (name + "-XXXXXX");
  if (::mkdtemp(pattern.data()) == nullptr) throw_errno("mkdtemp", pattern);
  path_ = pattern;
}

Home::~Home() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace xs::test
