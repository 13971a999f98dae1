// SPDX-License-Identifier: MIT
// A pause that comes while a run is at work.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/catch.h"
#include "tests/support/held_run.h"
#include "tests/support/nodes.h"

using Catch::Contains;
using xs::test::Child;
using xs::test::eventually;
using xs::test::HeldRun;
using xs::test::Nodes;
using xs::test::Ran;
using xs::test::Secondary;

namespace {

// A run after the first one, so that there is a tree that could be changed.
struct Cluster : Nodes {
  Cluster() {
    REQUIRE(second.run().code == 0);
    primary.etc.file("conf.d/local.ini", "[proxy]\nversion=new\n", 0640);
  }
  bool changed() const { return second.etc.read("conf.d/local.ini") == "[proxy]\nversion=new\n"; }
};

}  // namespace

TEST_CASE("pause: a run that was at work before it changes nothing and ends as a paused one",
          "[e2e]") {
  Cluster cluster;
  const Secondary& second = cluster.second;
  for (const bool fails : {false, true}) {
    INFO("--fail-if-paused: " << fails);
    std::vector<std::string> more;
    if (fails) more.push_back("--fail-if-paused");
    HeldRun held(second, more);
    REQUIRE(second.run({"pause", "--reason", "upgrade 7.8", "--wait", "0"}).code == 0);
    held.let_go();
    CHECK(held.wait() == (fails ? 45 : 0));
    CHECK_THAT(second.dir.read("held.out"),
               Contains("upgrade 7.8") && Contains("nothing was done. Resume with"));
    CHECK_FALSE(cluster.changed());
    CHECK_THAT(second.run({"status", "--json"}).out, Contains("\"running\": false"));
    CHECK_FALSE(second.etc.exists(".xroad-sync/journal"));
    REQUIRE(second.run({"resume"}).code == 0);
  }
  CHECK(second.run().code == 0);
  CHECK(cluster.changed());
}

TEST_CASE("pause: a forced run that was at work before it goes on, as one after it does", "[e2e]") {
  Cluster cluster;
  HeldRun held(cluster.second, {"--ignore-pause"});
  REQUIRE(cluster.second.run({"pause", "--wait", "0"}).code == 0);
  held.let_go();
  CHECK(held.wait() == 0);
  CHECK(cluster.changed());
}

TEST_CASE("pause: it ends when the run that is at work has ended", "[e2e]") {
  Cluster cluster;
  const Secondary& second = cluster.second;
  HeldRun held(second);
  const std::string process = "the run of process " + std::to_string(held.pid());
  CHECK_THAT(second.run({"status"}).out, Contains("notice  " + process));
  const Ran at_once = second.run({"pause", "--wait", "0"});
  CHECK(at_once.code == 0);
  CHECK_THAT(at_once.out, Contains("not waited for: " + process));
  const Ran late = second.run({"pause", "--wait", "300ms"});
  CHECK(late.code == 40);
  CHECK_THAT(late.err, Contains("it is paused, but") && Contains(process));
  REQUIRE(second.run({"resume"}).code == 0);

  const std::string said = second.file("pause.out");
  Child pause(second.command({"pause"}), said);
  REQUIRE(eventually(std::chrono::seconds(20), [&] {
    return second.dir.read("pause.out").find("waiting for the end of " + process) !=
           std::string::npos;
  }));
  CHECK_FALSE(pause.ended_within(std::chrono::milliseconds(0)));
  held.let_go();
  CHECK(held.wait() == 0);
  REQUIRE(pause.ended_within(std::chrono::seconds(20)));
  CHECK(WEXITSTATUS(pause.status()) == 0);
  CHECK_FALSE(cluster.changed());
}

TEST_CASE("pause: resume leaves the guide's flag where it is told to", "[e2e]") {
  Cluster cluster;
  const Secondary& second = cluster.second;
  second.dir.write("flag", "");
  REQUIRE(second.run({"pause", "--reason", "ours"}).code == 0);
  REQUIRE(second.run({"resume", "--keep-flag"}).code == 0);
  CHECK(second.run({"--fail-if-paused"}).code == 45);
  CHECK_FALSE(cluster.changed());
  REQUIRE(second.run({"resume"}).code == 0);
  CHECK(second.run({"--fail-if-paused"}).code == 0);
  CHECK(cluster.changed());
}

TEST_CASE("pause: status tells it whatever became of the status file", "[e2e]") {
  Cluster cluster;
  const Secondary& second = cluster.second;
  REQUIRE(second.run({"pause", "--reason", "upgrade 7.8"}).code == 0);
  for (const char* bytes : {"{", "{\"v\": 7}", "{\"v\": 1, \"kept\": []}"}) {
    INFO(bytes);
    second.dir.write("status.json", bytes);
    CHECK_THAT(second.run({"status", "--json"}).out,
               Contains("\"paused\": {") && Contains("upgrade 7.8"));
    const Ran text = second.run({"status"});
    CHECK_THAT(text.out, Contains("unknown") && Contains("\npaused  since ") &&
                             Contains("[resume: xroad-sync resume]"));
    CHECK(second.run({"status", "--check"}).code == 3);
  }
  REQUIRE(::unlink(second.file("status.json").c_str()) == 0);
  REQUIRE(::mkdir(second.file("status.json").c_str(), 0700) == 0);
  CHECK_THAT(second.run({"status", "--json"}).out, Contains("upgrade 7.8"));
  REQUIRE(second.run({"resume"}).code == 0);
  CHECK_THAT(second.run({"status", "--json"}).out, !Contains("paused"));
}

TEST_CASE("status: for a monitor a wrong command line is a line of stdout and 3", "[e2e]") {
  const Cluster cluster;
  for (const char* wrong : {"--no-such", "--config=/nonexistent/xroad-sync.ini"}) {
    const Ran ran = cluster.second.bare({"status", "--check", wrong});
    INFO(ran.err);
    CHECK(ran.code == 3);
    CHECK_THAT(ran.out, Catch::StartsWith("XROAD_SYNC UNKNOWN - "));
  }
  CHECK(cluster.second.bare({"status", "--no-such"}).code == 1);
}
