// SPDX-License-Identifier: MIT
#include "base/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

// Raw calls, as everything between fork() and execve(): glibc's own would tell threads that are not
// there. Root may have lent its rights to somebody; they come back first.
bool become(const ChildUser& user) {
  constexpr auto kSame = static_cast<uid_t>(-1);
  if (::getuid() == 0 && ::syscall(SYS_setresuid, kSame, 0, kSame) != 0) return false;
  if (::geteuid() != 0) return ::geteuid() == user.uid;
  return ::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) == 0 &&
         ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

// The child of fork(): nothing here may take a lock or memory. Returns only when it has failed.
void start_image(const ChildRequest& request, pid_t parent, int output, char* const* words,
                 char* const* environment) {
  ::setpgid(0, 0);
  for (int number = 1; number < NSIG; ++number) {
    if (number != SIGKILL && number != SIGSTOP) ::signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || ::dup2(output, STDOUT_FILENO) < 0 || ::dup2(output, STDERR_FILENO) < 0 ||
      ::dup2(null, STDIN_FILENO) < 0) {
    return;
  }
  if (request.user) {
    if (!become(*request.user)) {
      if (errno == 0) errno = EPERM;
      return;
    }
    if (::chdir("/") != 0) return;
  }
  // After the change of user, which forgets it.
  if (request.ends_with_us) {
    if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) return;
    if (::getppid() != parent) ::_exit(1);
  }
  ::execve(words[0], words, environment);
}

[[noreturn]] void cannot_start(const ChildRequest& request, int err) {
  throw Error(Fault::Action, "cannot start " + quote(request.argv.front()) + ": " + errno_text(err),
              err);
}

// posix_spawn() knows no users. The pipe brings what kept the child from its program.
pid_t fork_and_start(const ChildRequest& request, const Fd& output, char* const* words,
                     char* const* environment) {
  std::array<int, 2> raw{};
  if (::pipe2(raw.data(), O_CLOEXEC) != 0) throw_errno(Fault::Action, "pipe", "a child");
  const Fd ours(raw[0]);
  Fd theirs(raw[1]);
  // Not 0 to 2, which the child puts other things on.
  const Fd high(::fcntl(output.get(), F_DUPFD_CLOEXEC, 3));
  Fd high_theirs(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 3));
  if (!high || !high_theirs) throw_errno(Fault::Action, "fcntl", "a child");
  const pid_t parent = ::getpid();
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of ours runs in the child
  const pid_t pid = ::fork();
  if (pid == 0) {
    errno = 0;
    start_image(request, parent, high.get(), words, environment);
    const int err = errno;
    if (::write(high_theirs.get(), &err, sizeof err) < 0) ::_exit(126);
    ::_exit(127);
  }
  const int fork_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) cannot_start(request, fork_error);
  theirs = Fd();
  high_theirs = Fd();
  int err = 0;
  ssize_t got = -1;
  do got = ::read(ours.get(), &err, sizeof err);
  while (got < 0 && errno == EINTR);
  if (got == 0) return pid;
  ::waitpid(pid, nullptr, 0);
  cannot_start(request, err);
}

pid_t spawn(const ChildRequest& request, const Fd& output) {
  if (request.argv.empty() || request.argv.front().find('/') == std::string::npos) {
    throw Error(Fault::Action, "a program needs a path with a slash: " +
                                   quote(request.argv.empty() ? "" : request.argv.front()));
  }
  const std::vector<char*> words = pointers(request.argv);
  const std::vector<char*> environment = pointers(request.environment);
  if (request.user || request.ends_with_us) {
    return fork_and_start(request, output, words.data(), environment.data());
  }
  const FileActions actions(output);
  const Attributes attributes;
  pid_t pid = -1;
  const int err = ::posix_spawn(&pid, words.front(), actions.get(), attributes.get(), words.data(),
                                environment.data());
  if (err != 0) cannot_start(request, err);
  return pid;
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
