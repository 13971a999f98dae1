// SPDX-License-Identifier: MIT
#include "base/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

void check(int err, std::string_view call) {
  if (err != 0) throw_errno(Fault::Action, call, "a child", err);
}

class FileActions {
 public:
  // Stdin last: the pipe may have come out as descriptor 0 itself.
  explicit FileActions(const Fd& output) {
    check(::posix_spawn_file_actions_init(&raw_), "posix_spawn_file_actions_init");
    for (const int to : {STDOUT_FILENO, STDERR_FILENO}) {
      check(::posix_spawn_file_actions_adddup2(&raw_, output.get(), to),
            "posix_spawn_file_actions_adddup2");
    }
    check(::posix_spawn_file_actions_addopen(&raw_, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
          "posix_spawn_file_actions_addopen");
  }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&raw_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  const posix_spawn_file_actions_t* get() const { return &raw_; }

 private:
  posix_spawn_file_actions_t raw_{};
};

class Attributes {
 public:
  Attributes() {
    check(::posix_spawnattr_init(&raw_), "posix_spawnattr_init");
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    for (const int fixed : {SIGKILL, SIGSTOP}) sigdelset(&all, fixed);
    ::posix_spawnattr_setsigmask(&raw_, &none);
    ::posix_spawnattr_setsigdefault(&raw_, &all);
    ::posix_spawnattr_setpgroup(&raw_, 0);
    ::posix_spawnattr_setflags(
        &raw_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&raw_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &raw_; }

 private:
  posix_spawnattr_t raw_{};
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const std::string& word : words) {
    if (word.find('\0') != std::string::npos) {
      throw Error(Fault::Action, "an argument of a child holds a NUL byte: " + quote(word));
    }
    out.push_back(const_cast<char*>(word.c_str()));
  }
  out.push_back(nullptr);
  return out;
}

pid_t spawn(const ChildRequest& request, const Fd& output) {
  if (request.argv.empty() || request.argv.front().find('/') == std::string::npos) {
    throw Error(Fault::Action, "a program needs a path with a slash: " +
                                   quote(request.argv.empty() ? "" : request.argv.front()));
  }
  const std::vector<char*> words = pointers(request.argv);
  const std::vector<char*> environment = pointers(request.environment);
  const FileActions actions(output);
  const Attributes attributes;
  pid_t pid = -1;
  const int err = ::posix_spawn(&pid, words.front(), actions.get(), attributes.get(), words.data(),
                                environment.data());
  if (err == 0) return pid;
  throw Error(Fault::Action, "cannot start " + quote(request.argv.front()) + ": " + errno_text(err),
              err);
}

// A child that has been started: no way out leaves it running.
class Child {
 public:
  Child(const ChildRequest& request, Clock& clock) : clock_(clock), limit_(request.output_limit) {
    std::array<int, 2> raw{};
    if (::pipe2(raw.data(), O_CLOEXEC) != 0) throw_errno(Fault::Action, "pipe", "a child");
    output_ = Fd(raw[0]);
    const Fd theirs(raw[1]);
    set_nonblocking(output_.get(), true);
    pid_ = spawn(request, theirs);
  }
  ~Child() {
    if (pid_ < 0) return;
    signal_group(SIGKILL);
    ::waitpid(pid_, nullptr, WNOHANG);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Asks again and again, because a descriptor that tells of the end (pidfd) needs a kernel newer
  // than RHEL 8's; mostly the end of the output tells.
  bool await_end(Instant deadline) {
    constexpr Duration kLongest = std::chrono::milliseconds(20);
    Duration pause = std::chrono::milliseconds(1);
    while (!ended()) {
      if (clock_.now() >= deadline) return false;
      pollfd one{output_ ? output_.get() : -1, POLLIN, 0};
      clock_.poll({&one, 1}, std::min(deadline, clock_.now() + pause));
      if (one.revents != 0) take_output();
      pause = std::min(pause * 2, kLongest);
    }
    take_output();
    return true;
  }

  void signal_group(int number) const { ::kill(-pid_, number); }

  // After it has ended. Only now is its number free for others.
  int reap() {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) pid_ = -1;
    return status;
  }

  std::string output;
  bool cut = false;

 private:
  bool ended() const {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 &&
        errno != EINTR) {
      throw_errno(Fault::Action, "waitid", "a child");
    }
    return info.si_pid == pid_;
  }

  // Bounded, so that a child that never stops printing cannot hold us here.
  void take_output() {
    constexpr int kReads = 16;
    std::array<char, 16'384> piece;
    for (int i = 0; i < kReads && output_; ++i) {
      const auto got = read_some(output_.get(), piece, "the output of a child");
      if (!got) return;
      if (*got == 0) output_ = Fd();
      const std::size_t room = limit_ - output.size();
      cut = cut || *got > room;
      output.append(piece.data(), std::min(*got, room));
    }
  }

  Clock& clock_;
  std::size_t limit_;
  Fd output_;
  pid_t pid_ = -1;  // -1: reaped
};

}  // namespace

bool ChildResult::ok() const { return !timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0; }

std::string ChildResult::words() const {
  if (timed_out) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    return "took longer than " + std::to_string(ms) + " ms and was killed";
  }
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

std::vector<std::string> plain_environment() {
  return {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"};
}

ChildResult run_child(const ChildRequest& request, Clock& clock) {
  constexpr Duration kCertain = std::chrono::seconds(5);  // what SIGKILL may take
  Child child(request, clock);
  ChildResult result;
  result.limit = request.limit;
  bool ended = child.await_end(clock.now() + request.limit);
  if (!ended) {
    result.timed_out = true;
    child.signal_group(SIGTERM);
    child.await_end(clock.now() + request.grace);
    // Also when the leader has gone: those that it has left behind may not have.
    child.signal_group(SIGKILL);
    ended = child.await_end(clock.now() + kCertain);
  }
  if (ended) result.status = child.reap();
  result.output = std::move(child.output);
  result.cut = child.cut;
  return result;
}

}  // namespace xs
