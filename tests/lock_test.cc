// SPDX-License-Identifier: MIT
#include "sync/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace xs {
namespace {

using test::TempDir;

std::string refusal(const Dir& root) {
  try {
    (void)Lock::take(root);
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Locked);
    return error.text();
  }
  return "";
}

unsigned mode_of(const std::string& path) {
  struct stat st {};
  REQUIRE(::lstat(path.c_str(), &st) == 0);
  return st.st_mode & 07777U;
}

}  // namespace

TEST_CASE("lock: a second run is refused at once, and is told who and since when", "[sync]") {
  const TempDir temp;
  const Dir root = Dir::open_root(temp.path());
  {
    const Lock lock = Lock::take(root);
    const std::string text = refusal(root);
    CHECK(text.find("process " + std::to_string(::getpid())) != std::string::npos);
    CHECK(text.find("since 20") != std::string::npos);
    CHECK(text.find("UTC") != std::string::npos);
  }
  CHECK(refusal(root).empty());
}

TEST_CASE("lock: who asks is told who is at work, and takes nothing", "[sync]") {
  const TempDir temp;
  const Dir root = Dir::open_root(temp.path());
  CHECK_FALSE(Lock::at_work(temp / "nowhere"));
  CHECK_FALSE(Lock::at_work(temp.path()));  // no staging area yet
  {
    const Lock lock = Lock::take(root);
    const auto run = Lock::at_work(temp.path());
    REQUIRE(run);
    CHECK(run->process == static_cast<std::uint64_t>(::getpid()));
    CHECK(run->since > 1'700'000'000);
  }
  CHECK_FALSE(Lock::at_work(temp.path()));
  const Lock again = Lock::take(root);  // the questions have left nothing
  CHECK(Lock::at_work(temp.path()));
}

TEST_CASE("lock: it lies in a private directory and tells nothing to others", "[sync]") {
  const TempDir temp;
  const Lock lock = Lock::take(Dir::open_root(temp.path()));
  CHECK(mode_of(temp / ".xroad-sync") == 0700);
  CHECK(mode_of(temp / ".xroad-sync/lock") == 0600);
}

TEST_CASE("lock: it ends with its holder, however that ends", "[sync]") {
  const TempDir temp;
  const Dir root = Dir::open_root(temp.path());
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      [[maybe_unused]] const Lock lock = Lock::take(root);
      (void)!::write(writer.get(), "x", 1);
      for (;;) ::pause();
    } catch (...) {
      ::_exit(1);
    }
  }
  writer = Fd();
  char byte = 0;
  REQUIRE(::read(reader.get(), &byte, 1) == 1);
  CHECK(refusal(root).find("process " + std::to_string(child)) != std::string::npos);
  REQUIRE(::kill(child, SIGKILL) == 0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(refusal(root).empty());
}

TEST_CASE("lock: a removed lock file does not let two runs in under one name", "[sync]") {
  const TempDir temp;
  const Dir root = Dir::open_root(temp.path());
  const Lock first = Lock::take(root);
  REQUIRE(std::remove((temp / ".xroad-sync/lock").c_str()) == 0);
  const Lock second = Lock::take(root);  // of the new file
  CHECK_FALSE(refusal(root).empty());
}

TEST_CASE("lock: a staging area that is a link or a file is refused", "[sync]") {
  const TempDir temp;
  const TempDir elsewhere;
  REQUIRE(::symlink(elsewhere.path().c_str(), (temp / ".xroad-sync").c_str()) == 0);
  CHECK_THROWS_AS(Lock::take(Dir::open_root(temp.path())), Error);
  CHECK_THROWS(elsewhere.read("lock"));
  REQUIRE(std::remove((temp / ".xroad-sync").c_str()) == 0);
  temp.write(".xroad-sync", "");
  CHECK_THROWS_AS(Lock::take(Dir::open_root(temp.path())), Error);
}

TEST_CASE("lock: one that hangs below a fifo or a link is refused without waiting", "[sync]") {
  const TempDir temp;
  const Dir root = Dir::open_root(temp.path());
  REQUIRE(::mkdir((temp / ".xroad-sync").c_str(), 0700) == 0);
  REQUIRE(::mkfifo((temp / ".xroad-sync/lock").c_str(), 0600) == 0);
  CHECK_THROWS_AS(Lock::take(root), Error);
}

TEST_CASE("lock: the staging area of somebody else is refused, and a loose mode is corrected",
          "[sync]") {
  const TempDir temp;
  const Dir root = Dir::open_root(temp.path());
  REQUIRE(::mkdir((temp / ".xroad-sync").c_str(), 0777) == 0);
  CHECK(refusal(root).empty());
  CHECK(mode_of(temp / ".xroad-sync") == 0700);
  if (::geteuid() != 0) return;
  REQUIRE(::chown((temp / ".xroad-sync").c_str(), 12345, 12345) == 0);
  try {
    (void)Lock::take(root);
    FAIL("taken");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Io);
    CHECK(error.text().find("12345") != std::string::npos);
  }
}

}  // namespace xs
