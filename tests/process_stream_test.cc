// SPDX-License-Identifier: MIT
#include "protocol/process_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/setting.h"

using namespace xs;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Words = std::vector<std::string>;

namespace {

// The far side of most cases; `sh` is the program under test's child, not a way to start one.
Words script(const std::string& text) { return {"sh", "-c", text}; }

Instant soon(Clock& clock) { return clock.now() + 30s; }

// Everything up to the child's end, or up to the text that is waited for.
std::string read_until(ProcessStream& child, Clock& clock, std::string_view text = {}) {
  const Instant deadline = soon(clock);
  std::string out;
  std::array<char, 65536> piece;
  while (text.empty() || out.find(text) == std::string::npos) {
    REQUIRE(clock.now() < deadline);
    const auto got = child.read_some(piece);
    if (got == 0U) return out;
    if (!got) child.wait(false, deadline);
    out.append(piece.data(), got.value_or(0));
  }
  return out;
}

// Writes until the child takes no more; the error that then comes.
Error write_until_broken(ProcessStream& child, Clock& clock) {
  const Instant deadline = soon(clock);
  const std::string bytes(65536, 'x');
  try {
    while (clock.now() < deadline) {
      if (!child.write_some(bytes)) child.wait(true, deadline);
    }
  } catch (const Error& error) {
    return error;
  }
  return Error(Fault::Usage, "no error");
}

Error start_error(const Words& argv) {
  SteadyClock clock;
  try {
    const ProcessStream child(argv, clock);
  } catch (const Error& error) {
    return error;
  }
  return Error(Fault::Usage, "no error");
}

bool no_children() {
  const pid_t got = ::waitpid(-1, nullptr, WNOHANG);
  return got < 0 && errno == ECHILD;
}

class TempDir {
 public:
  TempDir() {
    std::string name =
        (std::filesystem::temp_directory_path() / "xs-process-stream-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string write(const std::string& name, const std::string& text, mode_t mode) const {
    const std::string file = (path_ / name).string();
    std::ofstream(file) << text;
    REQUIRE(::chmod(file.c_str(), mode) == 0);
    return file;
  }

 private:
  std::filesystem::path path_;
};

// Restores what a case does to our own signals.
class Signals {
 public:
  Signals() {
    ::sigprocmask(SIG_SETMASK, nullptr, &mask_);
    ::sigaction(SIGPIPE, nullptr, &pipe_);
  }
  ~Signals() {
    ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
    ::sigaction(SIGPIPE, &pipe_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  sigset_t mask_{};
  struct sigaction pipe_ {};
};

std::uint64_t status_bits(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name + ":\t");
  REQUIRE(at != std::string::npos);
  return std::stoull(text.substr(at + name.size() + 2, 16), nullptr, 16);
}

}  // namespace

TEST_CASE("process_stream: large data goes both ways at once unharmed", "[protocol]") {
  SteadyClock clock;
  const unsigned seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::string sent(16U << 20, '\0');
  for (char& c : sent) c = static_cast<char>(random());
  std::string got;
  std::array<char, 65536> piece;
  {
    ProcessStream child({"cat"}, clock);
    const Instant deadline = soon(clock);
    std::string_view left = sent;
    for (;;) {
      REQUIRE(clock.now() < deadline);
      const auto put = left.empty() ? std::nullopt : child.write_some(left.substr(0, 100'000));
      left.remove_prefix(put.value_or(0));
      if (left.empty()) child.close_write();
      const auto taken = child.read_some(piece);
      if (taken == 0U) break;
      got.append(piece.data(), taken.value_or(0));
      if (!put && !taken) child.wait(!left.empty(), deadline);
    }
    CHECK(child.last_words() == "it ended with status 0");
  }
  CHECK(got == sent);
  CHECK(no_children());
}

TEST_CASE("process_stream: neither reading nor writing blocks", "[protocol]") {
  SteadyClock clock;
  ProcessStream child(script("read line; echo $line"), clock);
  std::array<char, 16> piece;
  CHECK_FALSE(child.read_some(piece));
  const Instant before = clock.now();
  child.wait(false, before + 30ms);
  CHECK(clock.now() >= before + 30ms);
  CHECK(child.last_words().empty());
  CHECK(child.write_some("ping\n") == 5U);
  CHECK(read_until(child, clock) == "ping\n");
  CHECK(child.read_some(piece) == 0U);
  ProcessStream idle({"sleep", "60"}, clock, 10ms);
  const std::string bytes(65536, 'x');
  const Instant deadline = soon(clock);
  while (idle.write_some(bytes)) REQUIRE(clock.now() < deadline);
}

TEST_CASE("process_stream: a child that has no more to say still listens", "[protocol]") {
  SteadyClock clock;
  ProcessStream child(script("exec >&-; cat >&2; exit 5"), clock, 20s);
  CHECK(read_until(child, clock).empty());
  CHECK(child.write_some("heard") == 5U);
  child.close_write();
  CHECK(child.last_words() == "the remote side said: \"heard\" and it ended with status 5");
}

TEST_CASE("process_stream: a child that ends at once breaks the writing, not us", "[protocol]") {
  SteadyClock clock;
  ProcessStream child({"true"}, clock);
  const Error error = write_until_broken(child, clock);
  CHECK(error.fault() == Fault::Stream);
  CHECK_THAT(error.text(), Contains("'true'") && Contains("it ended with status 0"));
  CHECK(read_until(child, clock).empty());
}

TEST_CASE("process_stream: the last words are stderr and status, escaped", "[protocol]") {
  SteadyClock clock;
  ProcessStream child(script("printf 'no\\033[2J way\\n' >&2; exit 127"), clock);
  CHECK(read_until(child, clock).empty());
  CHECK(child.last_words() ==
        "the remote side said: \"no\\#033[2J way\" and it ended with status 127");
  // Asked again it says the same.
  CHECK_THAT(child.last_words(), Contains("status 127"));
  ProcessStream broken(script("echo refused >&2; exit 255"), clock);
  CHECK_THAT(write_until_broken(broken, clock).text(),
             Contains("refused") && Contains("status 255"));
}

TEST_CASE("process_stream: a killed child is named as killed", "[protocol]") {
  SteadyClock clock;
  ProcessStream child(script("echo up; read line; kill -9 $$"), clock);
  CHECK(read_until(child, clock, "up\n") == "up\n");
  CHECK(child.write_some("go\n") == 3U);
  CHECK(read_until(child, clock).empty());
  CHECK(child.last_words() == "it was killed by signal 9");
}

TEST_CASE("process_stream: a mebibyte on stderr blocks nobody and is kept in part", "[protocol]") {
  SteadyClock clock;
  ProcessStream child(script("head -c 1048576 /dev/zero | tr '\\0' x >&2; echo done"), clock);
  CHECK(read_until(child, clock) == "done\n");
  CHECK(child.last_words() == "the remote side said: \"" + std::string(limits::kStderr, 'x') +
                                  "...\" and it ended with status 0");
}

TEST_CASE("process_stream: endless stderr ends no deadline", "[protocol]") {
  SteadyClock clock;
  const Instant before = clock.now();
  {
    ProcessStream child(script("exec yes >&2"), clock, 20ms);
    while (clock.now() < before + 50ms) child.wait(false, before + 50ms);
  }
  CHECK(clock.now() < before + 10s);
  CHECK(no_children());
}

TEST_CASE("process_stream: a program that cannot be started is named", "[protocol]") {
  const TempDir dir;
  const Error absent = start_error({"no-such-remote-shell"});
  CHECK(absent.fault() == Fault::Start);
  // A directory in PATH that we may not search outweighs the absence elsewhere.
  CHECK((absent.code() == ENOENT || absent.code() == EACCES));
  CHECK_THAT(absent.text(),
             Contains("'no-such-remote-shell'") && Contains(errno_text(absent.code())));
  CHECK(start_error({"/no-such-directory/shell"}).code() == ENOENT);
  const std::string plain = dir.write("plain", "#!/bin/sh\n", 0644);
  CHECK(start_error({plain}).code() == EACCES);
  CHECK_THAT(start_error({plain}).text(), Contains(plain));
  // execvp would give it to a shell.
  CHECK(start_error({dir.write("headless", "echo hello\n", 0755)}).code() == ENOEXEC);
  CHECK(start_error({}).fault() == Fault::Start);
  CHECK(start_error({""}).fault() == Fault::Start);
  CHECK(start_error({"cat", std::string("a\0b", 3)}).fault() == Fault::Start);
  CHECK(no_children());
}

TEST_CASE("process_stream: hostile words reach the program as they are", "[protocol]") {
  SteadyClock clock;
  ProcessStream child({"printf", "[%s]", "$(id)", "a;b", "", "x\ny", "'\"\\"}, clock);
  CHECK(read_until(child, clock) == "[$(id)][a;b][][x\ny]['\"\\]");
}

TEST_CASE("process_stream: an orderly child is waited for, a stubborn one is ended", "[protocol]") {
  SteadyClock clock;
  const TempDir dir;
  const std::string mark = dir.write("mark", "", 0644);
  { ProcessStream child({"sh", "-c", "cat; echo end > \"$0\"", mark}, clock, 20s); }
  CHECK(std::filesystem::file_size(mark) == 4);
  CHECK(no_children());

  const Instant before = clock.now();
  {
    ProcessStream child(script("trap '' TERM; echo ready; exec sleep 60"), clock, 50ms);
    CHECK(read_until(child, clock, "ready\n") == "ready\n");
  }
  CHECK(clock.now() - before >= 100ms);
  CHECK(clock.now() - before < 20s);
  CHECK(no_children());

  const Instant polite = clock.now();
  { ProcessStream child({"sleep", "60"}, clock, 50ms); }
  CHECK(clock.now() - polite < 20s);
  CHECK(no_children());
}

TEST_CASE("process_stream: the child starts with a clean signal state", "[protocol]") {
  SteadyClock clock;
  const Signals restore;
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGUSR1);
  REQUIRE(::sigprocmask(SIG_BLOCK, &blocked, nullptr) == 0);
  REQUIRE(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  ProcessStream child({"grep", "^Sig", "/proc/self/status"}, clock);
  const std::string text = read_until(child, clock);
  CHECK(status_bits(text, "SigBlk") == 0);
  CHECK((status_bits(text, "SigIgn") & (1U << (SIGPIPE - 1))) == 0);
}

TEST_CASE("process_stream: the child gets no descriptor of ours but its three", "[protocol]") {
  SteadyClock clock;
  std::vector<std::string> private_ones;
  ProcessStream bystander({"cat"}, clock);
  ProcessStream child({"find", "/proc/self/fd", "-mindepth", "1", "-printf", "%f %l\\n"}, clock);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename().string());
    const int flags = ::fcntl(fd, F_GETFD);
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    const bool anonymous = target.starts_with("pipe:") || target.starts_with("socket:");
    if (flags >= 0 && (flags & FD_CLOEXEC) != 0 && anonymous) private_ones.push_back(target);
  }
  CHECK(private_ones.size() >= 6);
  std::istringstream lines(read_until(child, clock));
  int seen = 0;
  int fd = 0;
  for (std::string target; lines >> fd >> target; ++seen) {
    CAPTURE(fd, target);
    if (fd > 2)
      CHECK(std::find(private_ones.begin(), private_ones.end(), target) == private_ones.end());
  }
  CHECK(seen >= 3);
}

TEST_CASE("process_stream: closed standard descriptors of ours do not confuse the child",
          "[protocol]") {
  SteadyClock clock;
  const Fd saved(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10));
  ::close(STDIN_FILENO);
  bool taken = true;
  std::string got;
  {
    ProcessStream child({"cat"}, clock);
    taken = ::fcntl(STDIN_FILENO, F_GETFD) >= 0;
    child.write_some("through");
    child.close_write();
    got = read_until(child, clock);
  }
  if (saved) ::dup2(saved.get(), STDIN_FILENO);
  CHECK(got == "through");
  CHECK_FALSE(taken);
}

TEST_CASE("process_stream: a child that the kernel reaps for us still ends in order",
          "[protocol]") {
  SteadyClock clock;
  struct sigaction before {};
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  REQUIRE(::sigaction(SIGCHLD, &ignore, &before) == 0);
  std::string got;
  std::string words;
  {
    ProcessStream child(script("echo out; echo err >&2"), clock);
    got = read_until(child, clock);
    words = child.last_words();
  }
  ::sigaction(SIGCHLD, &before, nullptr);
  CHECK(got == "out\n");
  CHECK(words == "the remote side said: \"err\"");
}
