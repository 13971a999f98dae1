// SPDX-License-Identifier: MIT
#include "base/io.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <optional>

#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

namespace xs {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::ManualClock;
using test::TempDir;

struct Pipe {
  explicit Pipe(bool blocking = false) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC | (blocking ? 0 : O_NONBLOCK)) == 0);
    out = Fd(ends[0]);
    in = Fd(ends[1]);
  }
  void feed(std::string_view bytes) {
    REQUIRE(::write(in.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  // Writes until the pipe is full.
  void fill() {
    set_nonblocking(in.get(), true);
    const std::string piece(4096, '.');
    while (::write(in.get(), piece.data(), piece.size()) > 0) continue;
    REQUIRE(errno == EAGAIN);
  }
  Fd out, in;
};

// Time as ManualClock has it, with something done before each wait: a peer that acts while we wait.
class ActingClock final : public Clock {
 public:
  explicit ActingClock(std::function<void()> act) : act_(std::move(act)) {}
  Instant now() const override { return time_.now(); }
  int poll(std::span<pollfd> fds, Instant deadline) override {
    act_();
    return time_.poll(fds, deadline);
  }

 private:
  std::function<void()> act_;
  ManualClock time_;
};

// Interrupts a blocking call with SIGALRM every millisecond; the fifth one lets the call succeed.
class Storm {
 public:
  explicit Storm(void (*relief)()) {
    relief_ = relief;
    count_ = 0;
    struct sigaction action {};
    action.sa_handler = [](int) {
      count_ = count_ + 1;
      if (count_ == 5) relief_();
    };
    ::sigaction(SIGALRM, &action, &before_);
    const itimerval every{{0, 1000}, {0, 1000}};
    ::setitimer(ITIMER_REAL, &every, nullptr);
  }
  ~Storm() {
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;
  static int count() { return count_; }

 private:
  static inline void (*relief_)() = nullptr;
  static inline volatile sig_atomic_t count_ = 0;
  struct sigaction before_ {};
};

// What a signal handler may reach.
volatile sig_atomic_t g_fd = -1;
std::array<char, 256> g_path{};

// A write into a pipe without a reader is to fail, not to kill us.
class NoSigpipe {
 public:
  NoSigpipe() : before_(::signal(SIGPIPE, SIG_IGN)) {}
  ~NoSigpipe() { ::signal(SIGPIPE, before_); }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  void (*before_)(int);
};

// Root may read everything: be somebody else for a while.
class Unprivileged {
 public:
  Unprivileged() : root_(::geteuid() == 0) {
    if (root_) REQUIRE(::seteuid(65534) == 0);
  }
  ~Unprivileged() {
    if (root_ && ::seteuid(0) != 0) std::abort();
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  bool root_;
};

template <class Act>
void check_throws(Fault fault, const std::string& text, Act&& act) {
  const auto error = test::thrown_by(act);
  REQUIRE(error);
  CHECK(error->fault() == fault);
  CHECK(error->text() == text);
}

}  // namespace

TEST_CASE("io: read_some tells bytes, the end and nothing yet apart", "[base]") {
  Pipe pipe;
  std::array<char, 8> into{};
  CHECK(read_some(pipe.out.get(), into, "p") == std::nullopt);
  pipe.feed("abc");
  CHECK(read_some(pipe.out.get(), into, "p") == 3U);
  CHECK(std::string(into.data(), 3) == "abc");
  pipe.in = Fd();
  CHECK(read_some(pipe.out.get(), into, "p") == 0U);
}

TEST_CASE("io: write_some says how much it took, and nothing when the pipe is full", "[base]") {
  Pipe pipe;
  CHECK(write_some(pipe.in.get(), "abc", "p") == 3U);
  CHECK(write_some(pipe.in.get(), std::string(1U << 20, 'x'), "p").value() < (1U << 20));
  pipe.fill();
  CHECK(write_some(pipe.in.get(), "abc", "p") == std::nullopt);
}

TEST_CASE("io: a failed read or write names the subject, escaped", "[base]") {
  std::array<char, 8> into{};
  check_throws(Fault::Io, "read 'a\\#012b': Bad file descriptor",
               [&] { read_some(-1, into, "a\nb"); });
  check_throws(Fault::Io, "write 'a\\#012b': Bad file descriptor",
               [] { write_some(-1, "x", "a\nb"); });
  const NoSigpipe quiet;
  Pipe pipe;
  pipe.out = Fd();
  check_throws(Fault::Io, "write 'p': Broken pipe", [&] { write_some(pipe.in.get(), "x", "p"); });
}

TEST_CASE("io: a blocking read goes on after signals", "[base]") {
  Pipe pipe(true);
  g_fd = pipe.in.get();
  std::array<char, 8> into{};
  const Storm storm([] { (void)!::write(g_fd, "x", 1); });
  CHECK(read_some(pipe.out.get(), into, "p") == 1U);
  CHECK(Storm::count() >= 5);
}

TEST_CASE("io: a blocking write goes on after signals", "[base]") {
  Pipe pipe(true);
  pipe.fill();
  set_nonblocking(pipe.in.get(), false);
  g_fd = pipe.out.get();
  const Storm storm([] {
    std::array<char, 4096> sink{};
    for (int i = 0; i < 4; ++i) (void)!::read(g_fd, sink.data(), sink.size());
  });
  CHECK(write_some(pipe.in.get(), "abc", "p") == 3U);
  CHECK(Storm::count() >= 5);
}

TEST_CASE("io: a blocking open goes on after signals", "[base]") {
  const TempDir dir;
  const std::string fifo = dir / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  REQUIRE(fifo.size() < g_path.size());
  std::copy_n(fifo.c_str(), fifo.size() + 1, g_path.begin());
  Fd other;
  {
    const Storm storm([] { g_fd = ::open(g_path.data(), O_RDWR | O_CLOEXEC); });
    CHECK(open_file(fifo, O_RDONLY));
    other = Fd(g_fd);
  }
  CHECK(Storm::count() >= 5);
  CHECK(other);
}

TEST_CASE("io: read_full puts the pieces together", "[base]") {
  Pipe pipe;
  const std::string_view all = "0123456789";
  std::size_t next = 0;
  ActingClock clock([&] { pipe.feed(all.substr(next++, 1)); });
  std::string into(all.size(), '\0');
  read_full(pipe.out.get(), into, clock, clock.now() + 1s, "p");
  CHECK(into == all);
  CHECK(next == all.size());
}

TEST_CASE("io: read_full takes no byte more than asked for", "[base]") {
  Pipe pipe;
  ManualClock clock;
  pipe.feed("abcd");
  std::string into(3, '\0');
  read_full(pipe.out.get(), into, clock, clock.now() + 1s, "p");
  CHECK(into == "abc");
  read_full(pipe.out.get(), {}, clock, clock.now() + 1s, "p");
  CHECK(read_some(pipe.out.get(), into, "p") == 1U);
  CHECK(into[0] == 'd');
}

TEST_CASE("io: read_full from a silent pipe is a Timeout at the deadline", "[base]") {
  Pipe pipe;
  ManualClock clock;
  pipe.feed("ab");
  std::string into(3, '\0');
  const Instant deadline = clock.now() + 1h;
  check_throws(Fault::Timeout, "'p\\#033' was not ready before its deadline",
               [&] { read_full(pipe.out.get(), into, clock, deadline, "p\x1b"); });
  CHECK(clock.now() == deadline);
}

TEST_CASE("io: read_full of an input that ends early is of class Stream", "[base]") {
  Pipe pipe;
  ManualClock clock;
  pipe.feed("ab");
  pipe.in = Fd();
  std::string into(3, '\0');
  check_throws(Fault::Stream, "'p' ended early",
               [&] { read_full(pipe.out.get(), into, clock, clock.now() + 1h, "p"); });
}

TEST_CASE("io: write_all gets more through a pipe than fits", "[base]") {
  Pipe pipe;
  std::string received;
  std::array<char, 10'000> piece;
  const auto drain = [&] {
    while (const auto got = read_some(pipe.out.get(), piece, "p"))
      received.append(piece.data(), *got);
  };
  ActingClock clock(drain);
  std::string sent;
  for (int i = 0; sent.size() < 1'000'000; ++i) sent += std::to_string(i);
  write_all(pipe.in.get(), sent, clock, clock.now() + 1s, "p");
  drain();
  CHECK((received == sent));
}

TEST_CASE("io: write_all into a stuck pipe is a Timeout at the deadline", "[base]") {
  Pipe pipe;
  ManualClock clock;
  const Instant deadline = clock.now() + 1h;
  check_throws(Fault::Timeout, "'p' was not ready before its deadline",
               [&] { write_all(pipe.in.get(), std::string(1U << 21, 'x'), clock, deadline, "p"); });
  CHECK(clock.now() == deadline);
}

TEST_CASE("io: writing nothing needs no descriptor", "[base]") {
  ManualClock clock;
  write_all(-1, "", clock, clock.now(), "p");
  CHECK(clock.now() == ManualClock().now());
}

TEST_CASE("io: set_nonblocking changes this flag and no other", "[base]") {
  const TempDir dir;
  const Fd fd = open_file(dir.write("f", ""), O_WRONLY | O_APPEND);
  set_nonblocking(fd.get(), true);
  CHECK((::fcntl(fd.get(), F_GETFL) & (O_NONBLOCK | O_APPEND)) == (O_NONBLOCK | O_APPEND));
  set_nonblocking(fd.get(), true);
  set_nonblocking(fd.get(), false);
  CHECK((::fcntl(fd.get(), F_GETFL) & (O_NONBLOCK | O_APPEND)) == O_APPEND);
  const auto error = test::thrown_by([] { set_nonblocking(-1, true); });
  REQUIRE(error);
  CHECK(error->code() == EBADF);
}

TEST_CASE("io: whatever is opened is closed on exec", "[base]") {
  const TempDir dir;
  const std::string file = dir.write("f", "x");
  const Fd fd = open_file(file, O_RDONLY);
  CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  const auto again = open_if_exists(file, O_RDONLY);
  REQUIRE(again);
  CHECK((::fcntl(again->get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("io: open_file makes a file with the mode asked for", "[base]") {
  const TempDir dir;
  const std::string file = dir / "new";
  { const Fd fd = open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0600); }
  struct stat st {};
  REQUIRE(::stat(file.c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0600);
}

TEST_CASE("io: open_file names the path and the reason", "[base]") {
  const TempDir dir;
  const std::string missing = dir / "miss\ning";
  check_throws(Fault::Io, "open '" + dir.path() + "/miss\\#012ing': No such file or directory",
               [&] { open_file(missing, O_RDONLY); });
}

TEST_CASE("io: open_if_exists is empty only where there is no such file", "[base]") {
  const TempDir dir;
  const std::string file = dir.write("f", "x");
  CHECK(open_if_exists(file, O_RDONLY));
  CHECK_FALSE(open_if_exists(dir / "missing", O_RDONLY));
  CHECK_FALSE(open_if_exists(dir / "no/such/parent", O_RDONLY));
  CHECK_FALSE(open_if_exists(file + "/below-a-file", O_RDONLY));
  REQUIRE(::symlink("loop", (dir / "loop").c_str()) == 0);
  const auto error = test::thrown_by([&] { open_if_exists(dir / "loop", O_RDONLY); });
  REQUIRE(error);
  CHECK(error->code() == ELOOP);
}

TEST_CASE("io: a file that we may not read is an error, not an absent one", "[base]") {
  const TempDir dir;
  REQUIRE(::chmod(dir.path().c_str(), 0711) == 0);
  const std::string file = dir.write("secret", "x", 0000);
  const std::string text = "open '" + file + "': Permission denied";
  const Unprivileged nobody;
  check_throws(Fault::Io, text, [&] { open_if_exists(file, O_RDONLY); });
  check_throws(Fault::Io, text, [&] { read_file(file, 10); });
  check_throws(Fault::Io, text, [&] { read_file_if_exists(file, 10); });
}

TEST_CASE("io: read_file gives every byte of a file", "[base]") {
  const TempDir dir;
  CHECK(read_file(dir.write("empty", ""), 0).empty());
  const std::string binary = "a\0b\r\n\xff"s;
  CHECK(read_file(dir.write("binary", binary), 100) == binary);
  const std::string big(100'000, 'x');
  CHECK((read_file(dir.write("big", big), 1U << 20) == big));
}

TEST_CASE("io: read_file takes the limit itself and not one byte more", "[base]") {
  const TempDir dir;
  for (const std::size_t limit : {std::size_t{1}, std::size_t{16'384}, std::size_t{40'000}}) {
    const std::string fits = dir.write("fits", std::string(limit, 'x'));
    const std::string large = dir.write("large", std::string(limit + 1, 'x'));
    CHECK(read_file(fits, limit).size() == limit);
    check_throws(Fault::Io, "'" + large + "' is larger than " + std::to_string(limit) + " bytes",
                 [&] { read_file(large, limit); });
  }
}

TEST_CASE("io: read_file refuses what is not a regular file and never waits for it", "[base]") {
  const TempDir dir;
  const std::string fifo = dir / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  for (const std::string& path : {fifo, dir.path(), "/dev/zero"s}) {
    check_throws(Fault::Io, "'" + path + "' is not a regular file", [&] { read_file(path, 10); });
    check_throws(Fault::Io, "'" + path + "' is not a regular file",
                 [&] { read_file_if_exists(path, 10); });
  }
}

TEST_CASE("io: read_file_if_exists is empty for a missing file, not for an empty one", "[base]") {
  const TempDir dir;
  CHECK(read_file_if_exists(dir / "missing", 10) == std::nullopt);
  CHECK(read_file_if_exists(dir.write("empty", ""), 10) == ""s);
  CHECK(read_file_if_exists(dir.write("f", "abc"), 10) == "abc"s);
}

TEST_CASE("io: read_all reads a pipe to its end, within the limit, and does not wait", "[base]") {
  Pipe pipe;
  pipe.feed("abc");
  check_throws(Fault::Io, "'p' would block", [&] { read_all(pipe.out.get(), 10, "p"); });
  pipe.feed("abc");
  pipe.in = Fd();
  CHECK(read_all(pipe.out.get(), 3, "p") == "abc");
  check_throws(Fault::Io, "read 'p': Bad file descriptor", [] { read_all(-1, 3, "p"); });
}

TEST_CASE("io: a file is replaced whole, with its mode, and nothing is left beside it", "[base]") {
  const test::TempDir dir;
  const std::string path = dir / "f";
  replace_file(path, "one", 0644);
  replace_file(path, "two", 0640);
  CHECK(dir.read("f") == "two");
  struct stat st {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 07777U) == 0640);
  dir.write("f." + std::to_string(::getpid()) + ".new", "left by one that was cut off");
  replace_file(path, "three", 0644);
  CHECK(dir.read("f") == "three");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("io: a replacement that fails leaves the old file and no other", "[base]") {
  const test::TempDir dir;
  REQUIRE(::mkdir((dir / "d").c_str(), 0700) == 0);
  CHECK_THROWS_AS(replace_file(dir / "d", "x", 0644), Error);
  CHECK_THROWS_AS(replace_file(dir / "absent/f", "x", 0644), Error);
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

}  // namespace xs
