// SPDX-License-Identifier: MIT
#include "tests/companion/replication/deaths.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <stdexcept>

#include "base/clock.h"
#include "base/fd.h"
#include "base/io.h"
#include "tests/support/temp_dir.h"

namespace xs::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(120);

void filter_call(long number, std::uint32_t answer) {
  std::array<sock_filter, 4> code{{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(number)},
      {BPF_RET | BPF_K, 0, 0, answer},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    throw std::runtime_error("no filter of system calls");
  }
}

// A run in its own process, and what it said when it failed.
class Run {
 public:
  explicit Run(const std::function<void()>& run) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    words_ = Fd(ends[0]);
    const Fd writer(ends[1]);
    pid_ = ::fork();
    if (pid_ != 0) return;
    std::string words;
    try {
      run();
    } catch (const std::exception& error) {
      words = error.what();
    }
    // An end without words is a good one.
    const bool told = ::write(writer.get(), words.data(), words.size()) >= 0;
    ::_exit(words.empty() && told ? 0 : 1);
  }
  ~Run() {
    if (pid_ > 0) finish();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  bool ended() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
    return pid_ == 0;
  }
  // Its status; kills it first.
  int finish() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status_, 0);
      pid_ = 0;
    }
    return status_;
  }
  int wait() {
    SteadyClock clock;
    const Instant deadline = clock.now() + kPatience;
    while (!ended()) {
      if (clock.now() > deadline) throw std::runtime_error("a run does not end");
      clock.poll({}, clock.now() + std::chrono::milliseconds(5));
    }
    return status_;
  }
  std::string words() const { return read_all(words_.get(), 64U << 10, "a run's words"); }

 private:
  pid_t pid_ = 0;
  int status_ = 0;
  Fd words_;
};

bool died(const Run& run, int status) {
  if (WIFSIGNALED(status)) return true;
  if (WEXITSTATUS(status) != 0) throw std::runtime_error(run.words());
  return false;
}

}  // namespace

bool dies_at_step(int number, const std::function<void(const Say&)>& run) {
  const std::string label = "[" + std::to_string(number) + "/";
  Run one([&] {
    run([&](std::string_view text) {
      if (text.starts_with(label)) ::raise(SIGKILL);
    });
  });
  return died(one, one.wait());
}

bool dies_when(const std::function<bool()>& now, const std::function<void()>& run) {
  Run one(run);
  SteadyClock clock;
  const Instant deadline = clock.now() + kPatience;
  while (!one.ended()) {
    if (now()) return died(one, one.finish());
    if (clock.now() > deadline) throw std::runtime_error("the moment to die does not come");
    clock.poll({}, clock.now() + std::chrono::milliseconds(5));
  }
  return died(one, one.wait());
}

bool dies_at_call(long number, const std::function<void()>& run) {
  Run one([&] {
    filter_call(number, SECCOMP_RET_KILL_PROCESS);
    run();
  });
  return died(one, one.wait());
}

std::string words_when_failing(long number, int error, const std::function<void()>& run) {
  Run one([&] {
    filter_call(number, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
    run();
  });
  one.wait();
  return one.words();
}

}  // namespace xs::test
