// SPDX-License-Identifier: MIT
#include "base/child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/io.h"
#include "base/text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::TempDir;
using test::thrown_by;

namespace {

ChildResult shell(const std::string& script, Duration limit = std::chrono::seconds(30),
                  Duration grace = std::chrono::milliseconds(200)) {
  SteadyClock clock;
  ChildRequest request;
  request.argv = {"/bin/sh", "-c", script};
  request.environment = plain_environment();
  request.limit = limit;
  request.grace = grace;
  return run_child(request, clock);
}

// A process that nobody reaps has ended, too.
bool runs(pid_t pid) {
  const auto stat = read_file_if_exists("/proc/" + std::to_string(pid) + "/stat", 4096);
  return stat && stat->find(") Z ") == std::string::npos;
}

// Until it is gone, or for too long: somebody else reaps it.
bool goes(pid_t pid) {
  SteadyClock clock;
  const Instant deadline = clock.now() + std::chrono::seconds(10);
  while (runs(pid) && clock.now() < deadline)
    clock.poll({}, clock.now() + std::chrono::milliseconds(2));
  return !runs(pid);
}

}  // namespace

TEST_CASE("child: both outputs come back together, with the status", "[xroad]") {
  const ChildResult result = shell("echo out; echo err >&2; exit 3");
  CHECK(result.output == "out\nerr\n");
  CHECK_FALSE(result.ok());
  CHECK(result.words() == "ended with status 3");
  CHECK(shell("true").ok());
  CHECK(shell("kill -9 $$").words() == "was killed by signal 9");
}

TEST_CASE("child: it has the environment that it is given, an empty stdin and no other descriptor",
          "[xroad]") {
  CHECK(::setenv("XS_SECRET", "pin", 1) == 0);
  CHECK(shell("echo \"[$XS_SECRET][$LC_ALL]\"").output == "[][C.UTF-8]\n");
  CHECK(shell("cat; echo end").output == "end\n");
  const Fd ours = open_file("/dev/null", O_RDONLY);
  CHECK(shell("[ ! -e /proc/self/fd/" + std::to_string(ours.get()) + " ] && echo closed").output ==
        "closed\n");
}

TEST_CASE("child: output beyond the limit is taken and thrown away", "[xroad]") {
  const ChildResult result = shell("head -c 1000000 /dev/zero; echo end");
  CHECK(result.ok());
  CHECK(result.cut);
  CHECK(result.output == std::string(16'384, '\0'));
}

TEST_CASE("child: at the deadline the whole group is ended, whatever it ignores", "[xroad]") {
  const TempDir dir;
  const ChildResult result =
      shell("trap '' TERM; sleep 600 & echo $! > " + (dir / "pid") + "; sleep 600; sleep 600",
            std::chrono::milliseconds(2000));
  CHECK(result.timed_out);
  CHECK_FALSE(result.ok());
  CHECK_THAT(result.words(), Contains("2000 ms") || Contains("2 s"));
  const auto number = parse_number(trim(dir.read("pid")));
  REQUIRE(number);
  CHECK(goes(static_cast<pid_t>(*number)));
}

TEST_CASE("child: who ends at once on SIGTERM is not killed, and is still too late", "[xroad]") {
  const ChildResult result = shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done",
                                   std::chrono::seconds(2), std::chrono::seconds(10));
  CHECK(result.timed_out);
  CHECK_FALSE(result.ok());
  CHECK_THAT(result.output, Contains("bye\n"));
}

TEST_CASE("child: a grandchild that keeps the output open does not hold us", "[xroad]") {
  SteadyClock clock;
  const Instant begin = clock.now();
  const ChildResult result = shell("sleep 20 & echo $!");
  CHECK(result.ok());
  CHECK(clock.now() - begin < std::chrono::seconds(10));
  const auto number = parse_number(trim(result.output));
  REQUIRE(number);
  CHECK(runs(static_cast<pid_t>(*number)));
  ::kill(static_cast<pid_t>(*number), SIGKILL);
}

TEST_CASE("child: what cannot be started is an error with its reason", "[xroad]") {
  SteadyClock clock;
  const auto fails = [&](std::vector<std::string> argv) {
    ChildRequest request;
    request.argv = std::move(argv);
    const auto error = thrown_by([&] { run_child(request, clock); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Action);
    return error->text();
  };
  CHECK_THAT(fails({"/no/such/program"}), Contains("No such file"));
  CHECK_THAT(fails({"sh"}), Contains("slash"));
  CHECK_THAT(fails({}), Contains("slash"));
  CHECK_THAT(fails({"/bin/sh", std::string("a\0b", 3)}), Contains("NUL"));
}

TEST_CASE("child: root can run it as somebody else, with that user's groups and no way back",
          "[xroad]") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can be somebody else");
    return;
  }
  SteadyClock clock;
  ChildRequest request;
  request.argv = {"/bin/sh", "-c",
                  "id -u; id -g; id -G; pwd; grep -c '^Uid.*65534.*65534.*65534' "
                  "/proc/self/status"};
  request.environment = plain_environment();
  request.user = ChildUser{65534, 65533, {65533, 65532}};
  CHECK(run_child(request, clock).output == "65534\n65533\n65533 65532\n/\n1\n");

  // Also when our own effective rights are lent out at the moment.
  REQUIRE(::seteuid(65534) == 0);
  request.user = ChildUser{0, 0, {}};
  const ChildResult root = run_child(request, clock);
  REQUIRE(::seteuid(0) == 0);
  CHECK(root.output.starts_with("0\n0\n"));

  request.user = ChildUser{65534, 65533, {}};
  request.argv = {"/no/such/program"};
  const auto error = thrown_by([&] { run_child(request, clock); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Action);
  CHECK_THAT(error->text(), Contains("No such file"));
}

TEST_CASE("child: one that ends with us gets SIGTERM when we are killed", "[xroad]") {
  const TempDir dir;
  const pid_t ours = ::fork();
  if (ours == 0) {
    SteadyClock clock;
    ChildRequest request;
    request.argv = {"/bin/sh", "-c",
                    "echo $$ > " + (dir / "pid.new") + "; mv " + (dir / "pid.new") + " " +
                        (dir / "pid") + "; exec sleep 600"};
    request.environment = plain_environment();
    request.limit = std::chrono::seconds(600);
    request.ends_with_us = true;
    run_child(request, clock);
    ::_exit(0);
  }
  SteadyClock clock;
  const Instant deadline = clock.now() + std::chrono::seconds(20);
  while (!read_file_if_exists(dir / "pid", 100) && clock.now() < deadline)
    clock.poll({}, clock.now() + std::chrono::milliseconds(2));
  const auto number = parse_number(trim(dir.read("pid")));
  REQUIRE(number);
  CHECK(runs(static_cast<pid_t>(*number)));
  ::kill(ours, SIGKILL);
  ::waitpid(ours, nullptr, 0);
  CHECK(goes(static_cast<pid_t>(*number)));
}
