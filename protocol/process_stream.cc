// SPDX-License-Identifier: MIT
#include "protocol/process_stream.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <csignal>

#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

struct Ends {
  Fd ours;
  Fd theirs;
};

// Away from 0, 1 and 2 where those are free: they are the targets in the child, and what we print
// to stderr must not reach it.
Fd above_stdio(int raw) {
  Fd fd(raw);
  if (raw > STDERR_FILENO) return fd;
  const int moved = ::fcntl(raw, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (moved < 0) throw_errno(Fault::Start, "fcntl", "descriptor");
  return Fd(moved);
}

// A socket, because only send() can be told not to raise SIGPIPE.
Ends stdin_ends() {
  std::array<int, 2> raw{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, raw.data()) != 0) {
    throw_errno(Fault::Start, "socketpair", "stdin of the remote shell");
  }
  Fd second(raw[1]);
  Ends ends{above_stdio(raw[0]), above_stdio(second.release())};
  set_nonblocking(ends.ours.get(), true);
  return ends;
}

// Pipes of their own, so that the child can close its stdout while it still reads its stdin.
Ends output_ends() {
  std::array<int, 2> raw{};
  if (::pipe2(raw.data(), O_CLOEXEC) != 0)
    throw_errno(Fault::Start, "pipe", "output of the remote shell");
  Fd second(raw[1]);
  Ends ends{above_stdio(raw[0]), above_stdio(second.release())};
  set_nonblocking(ends.ours.get(), true);
  return ends;
}

void check_spawn(int err, std::string_view call) {
  if (err != 0) throw_errno(Fault::Start, call, "remote shell", err);
}

class FileActions {
 public:
  FileActions() {
    check_spawn(::posix_spawn_file_actions_init(&raw_), "posix_spawn_file_actions_init");
  }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&raw_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void dup2(const Fd& from, int to) {
    check_spawn(::posix_spawn_file_actions_adddup2(&raw_, from.get(), to),
                "posix_spawn_file_actions_adddup2");
  }
  const posix_spawn_file_actions_t* get() const { return &raw_; }

 private:
  posix_spawn_file_actions_t raw_{};
};

// SIGHUP and the terminal's signals stay as they are, so that nohup keeps its meaning.
class Attributes {
 public:
  Attributes() {
    check_spawn(::posix_spawnattr_init(&raw_), "posix_spawnattr_init");
    sigset_t none;
    sigset_t defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    for (const int number : {SIGPIPE, SIGTERM, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2}) {
      sigaddset(&defaults, number);
    }
    ::posix_spawnattr_setsigmask(&raw_, &none);
    ::posix_spawnattr_setsigdefault(&raw_, &defaults);
    ::posix_spawnattr_setflags(&raw_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&raw_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &raw_; }

 private:
  posix_spawnattr_t raw_{};
};

void check_argv(const std::vector<std::string>& argv) {
  if (argv.empty() || argv.front().empty())
    throw Error(Fault::Start, "no remote shell program is named");
  for (const std::string& word : argv) {
    if (word.find('\0') == std::string::npos) continue;
    throw Error(Fault::Start, "an argument of the remote shell holds a NUL byte: " + quote(word));
  }
}

pid_t spawn(const std::vector<std::string>& argv, const FileActions& actions) {
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const Attributes attributes;
  pid_t pid = -1;
  // posix_spawn reports a failed exec itself, and unlike execvp it hands no headless script to a
  // shell.
  const int err = ::posix_spawnp(&pid, argv.front().c_str(), actions.get(), attributes.get(),
                                 words.data(), environ);
  if (err == 0) return pid;
  throw Error(Fault::Start,
              "cannot start the remote shell " + quote(argv.front()) + ": " + errno_text(err) +
                  ": check -e/--rsh, PATH and the program's mode",
              err);
}

}  // namespace

ProcessStream::ProcessStream(const std::vector<std::string>& argv, Clock& clock,
                             std::chrono::milliseconds patience)
    : clock_(clock), patience_(patience) {
  check_argv(argv);
  name_ = argv.front();
  Ends in = stdin_ends();
  Ends out = output_ends();
  Ends err = output_ends();
  FileActions actions;
  actions.dup2(in.theirs, STDIN_FILENO);
  actions.dup2(out.theirs, STDOUT_FILENO);
  actions.dup2(err.theirs, STDERR_FILENO);
  pid_ = spawn(argv, actions);
  stdin_ = std::move(in.ours);
  stdout_ = std::move(out.ours);
  stderr_ = std::move(err.ours);
}

ProcessStream::~ProcessStream() {
  try {
    end();
  } catch (const std::exception&) {
    // The clock failed us; a destructor may not, and the child must not outlive us.
    if (pid_ > 0) ::kill(pid_, SIGKILL);
  }
}

void ProcessStream::end() {
  stdin_ = Fd();
  stdout_ = Fd();
  if (await_exit(clock_.now() + patience_)) return;
  ::kill(pid_, SIGTERM);
  if (await_exit(clock_.now() + patience_)) return;
  ::kill(pid_, SIGKILL);
  await_exit(clock_.now() + std::max(patience_, Deadlines{}.close));
}

std::optional<std::size_t> ProcessStream::read_some(std::span<char> into) {
  if (read_ended_) return 0;
  const auto got = xs::read_some(stdout_.get(), into, name_);
  if (got == 0U && !into.empty()) read_ended_ = true;
  return got;
}

std::optional<std::size_t> ProcessStream::write_some(std::string_view bytes) {
  assert(!write_closed_);
  for (;;) {
    const ssize_t put =
        ::send(stdin_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put >= 0) return static_cast<std::size_t>(put);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
    if (errno == EINTR) continue;
    const int err = errno;
    write_broken_ = true;
    const std::string words = last_words();
    throw Error(Fault::Stream,
                "the remote shell " + quote(name_) + " takes no more: " + errno_text(err) +
                    (words.empty() ? "" : ": " + words),
                err);
  }
}

void ProcessStream::wait(bool for_write, Instant deadline) {
  const bool writing = for_write && !write_closed_;
  if (read_ended_ && !writing) return take_stderr();
  // A negative descriptor is skipped by poll().
  std::array<pollfd, 3> all{{{read_ended_ ? -1 : stdout_.get(), POLLIN, 0},
                             {writing ? stdin_.get() : -1, POLLOUT, 0},
                             {stderr_.get(), POLLIN, 0}}};
  clock_.poll(all, deadline);
  if (all[2].revents != 0) take_stderr();
}

void ProcessStream::close_write() {
  if (write_closed_) return;
  write_closed_ = true;
  ::shutdown(stdin_.get(), SHUT_WR);
}

// Bounded, so that a child that never stops printing cannot hold us here.
void ProcessStream::take_stderr() {
  constexpr int kReads = 16;
  std::array<char, 16384> piece;
  for (int i = 0; i < kReads && stderr_; ++i) {
    const auto got = xs::read_some(stderr_.get(), piece, name_);
    if (!got) return;
    if (*got == 0) stderr_ = Fd();
    said_.add({piece.data(), *got});
  }
}

bool ProcessStream::reap() {
  if (pid_ < 0) return true;
  int status = 0;
  const pid_t got = ::waitpid(pid_, &status, WNOHANG);
  if (got == 0 || (got < 0 && errno == EINTR)) return false;
  if (got > 0) status_ = status;  // otherwise SIGCHLD is ignored, and the kernel has reaped it
  pid_ = -1;
  return true;
}

// Asks again and again, because a descriptor that tells of the end (pidfd) needs a kernel newer
// than RHEL 8's.
bool ProcessStream::await_exit(Instant deadline) {
  constexpr Duration kLongest = std::chrono::milliseconds(20);
  Duration pause = std::chrono::milliseconds(1);
  bool gone = reap();
  while (!gone && clock_.now() < deadline) {
    pollfd one{stderr_.get(), POLLIN, 0};
    clock_.poll({&one, 1}, std::min(deadline, clock_.now() + pause));
    take_stderr();
    pause = std::min(pause * 2, kLongest);
    gone = reap();
  }
  take_stderr();
  return gone;
}

std::string ProcessStream::exit_words() const {
  if (!status_) return {};
  if (WIFSIGNALED(*status_)) return "it was killed by signal " + std::to_string(WTERMSIG(*status_));
  return "it ended with status " + std::to_string(WEXITSTATUS(*status_));
}

std::string ProcessStream::last_words() {
  const bool leaving = read_ended_ || write_broken_;
  await_exit(leaving ? clock_.now() + patience_ : clock_.now());
  return said_.sentence(exit_words());
}

}  // namespace xs
