// SPDX-License-Identifier: MIT
// sync_after_calls PERCENT SEED DIRECTORY PROGRAM [ARGUMENT]...
// Runs PROGRAM and, after each of its system calls with a chance of PERCENT, makes the file system
// of DIRECTORY durable. Otherwise a journaling file system gathers the steps of a commit into one
// transaction, and no power cut can fall between them. Exits as PROGRAM does; its children are
// left alone.
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "base/error.h"
#include "base/fd.h"

namespace {

constexpr int kSystemCall = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

pid_t start(char** words) {
  const pid_t child = ::fork();
  if (child < 0) xs::throw_errno("fork", words[0]);
  if (child > 0) return child;
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::raise(SIGSTOP);
  ::execv(words[0], words);
  ::_exit(127);
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) xs::throw_errno("waitpid", "the program");
  return status;
}

int run(char** argv) {
  const auto percent = static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10));
  std::mt19937 random(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));
  const xs::Fd volume(::open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!volume) xs::throw_errno("open", argv[3]);
  const pid_t child = start(argv + 4);
  wait_for(child);
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  bool inside = false;
  long signal = 0;
  for (;;) {
    if (::ptrace(PTRACE_SYSCALL, child, nullptr, signal) != 0)
      xs::throw_errno("ptrace", "the program");
    const int status = wait_for(child);
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    signal = 0;
    if (WSTOPSIG(status) != kSystemCall) {
      if (WSTOPSIG(status) != SIGTRAP) signal = WSTOPSIG(status);  // SIGTRAP: the execv
      continue;
    }
    inside = !inside;
    if (!inside && random() % 100 < percent && ::syncfs(volume.get()) != 0)
      xs::throw_errno("syncfs", argv[3]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fputs("usage: sync_after_calls PERCENT SEED DIRECTORY PROGRAM [ARGUMENT]...\n", stderr);
    return 1;
  }
  try {
    return run(argv);
  } catch (const xs::Error& error) {
    std::fprintf(stderr, "sync_after_calls: %s\n", error.what());
    return 1;
  }
}
