// SPDX-License-Identifier: MIT
#include "base/fd.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <type_traits>

#include "tests/support/catch.h"

namespace xs {
namespace {

static_assert(!std::is_copy_constructible_v<Fd> && !std::is_copy_assignable_v<Fd>);
static_assert(std::is_nothrow_move_constructible_v<Fd> && std::is_nothrow_move_assignable_v<Fd>);
static_assert(!std::is_convertible_v<int, Fd>);

bool is_open(int raw) { return ::fcntl(raw, F_GETFD) >= 0; }

int open_something() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

std::optional<Error> error_of_close(Fd& fd) {
  try {
    fd.close("keyconf.xml");
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("fd: a new one owns nothing", "[base]") {
  const Fd fd;
  CHECK_FALSE(fd);
  CHECK(fd.get() == -1);
}

TEST_CASE("fd: descriptor 0 counts as owned", "[base]") {
  Fd fd(0);
  CHECK(fd);
  CHECK(fd.release() == 0);
  CHECK(is_open(0));
}

TEST_CASE("fd: the destructor closes", "[base]") {
  const int raw = open_something();
  REQUIRE(is_open(raw));
  { const Fd fd(raw); }
  CHECK_FALSE(is_open(raw));
}

TEST_CASE("fd: a move leaves the source empty and the descriptor open", "[base]") {
  const int raw = open_something();
  Fd from(raw);
  const Fd to(std::move(from));
  CHECK_FALSE(from);  // NOLINT(bugprone-use-after-move): what is left is the point
  CHECK(to.get() == raw);
  CHECK(is_open(raw));
}

TEST_CASE("fd: a move assignment closes what was there", "[base]") {
  const int old_raw = open_something();
  const int new_raw = open_something();
  Fd to(old_raw);
  Fd from(new_raw);
  to = std::move(from);
  CHECK_FALSE(is_open(old_raw));
  CHECK(is_open(new_raw));
  CHECK(to.get() == new_raw);
  CHECK_FALSE(from);  // NOLINT(bugprone-use-after-move): what is left is the point
}

TEST_CASE("fd: a move onto itself keeps the descriptor", "[base]") {
  const int raw = open_something();
  Fd fd(raw);
  Fd& same = fd;
  fd = std::move(same);
  CHECK(fd.get() == raw);
  CHECK(is_open(raw));
}

TEST_CASE("fd: release gives the descriptor away, open", "[base]") {
  const int raw = open_something();
  {
    Fd fd(raw);
    CHECK(fd.release() == raw);
    CHECK_FALSE(fd);
  }
  CHECK(is_open(raw));
  CHECK(::close(raw) == 0);
}

TEST_CASE("fd: close closes once and leaves nothing to the destructor", "[base]") {
  const int raw = open_something();
  int again = -1;
  {
    Fd fd(raw);
    fd.close("x");
    CHECK_FALSE(fd);
    CHECK_FALSE(is_open(raw));
    again = open_something();  // the kernel gives out the lowest free number: the same one
    REQUIRE(again == raw);
  }
  CHECK(is_open(again));
  CHECK(::close(again) == 0);
}

TEST_CASE("fd: a close that fails throws Io with the subject, and the fd is empty", "[base]") {
  const int raw = open_something();
  Fd fd(raw);
  REQUIRE(::close(raw) == 0);
  const auto error = error_of_close(fd);
  REQUIRE(error);
  CHECK(error->fault() == Fault::Io);
  CHECK(error->code() == EBADF);
  CHECK(error->text() == "close 'keyconf.xml': Bad file descriptor");
  CHECK_FALSE(fd);
}

TEST_CASE("fd: closing an empty one is an error, not silence", "[base]") {
  Fd fd;
  const auto error = error_of_close(fd);
  REQUIRE(error);
  CHECK(error->code() == EBADF);
}

}  // namespace xs
