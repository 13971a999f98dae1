// SPDX-License-Identifier: MIT
// What happens to a node between `upgrade prepare` and `upgrade finish`: other people's hands, a
// second prepare, a promotion, a sync that is at work.
#include "tests/companion/upgrade/member.h"
#include "tests/support/catch.h"
#include "tests/support/held_run.h"

using namespace xs;
using Catch::Contains;
using test::eventually;
using test::Member;
using test::Ran;

namespace {

void check_back(const Member& member) {
  CHECK(member.health() == 200);
  CHECK_FALSE(member.replay_paused());
  CHECK_FALSE(member.sync_paused());
  CHECK_FALSE(member.state());
}

std::string mode(const Member& member) { return member.run({"maintenance", "status"}).out; }

}  // namespace

TEST_CASE("upgrade: prepare waits until the sync that is at work has ended, changing nothing",
          "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  REQUIRE(member.sync.run().code == 0);
  cluster.tree.etc.file("conf.d/local.ini", "[proxy]\nversion=new\n", 0640);
  test::HeldRun held(member.sync);
  const std::string process = "the sync of process " + std::to_string(held.pid());
  const Ran late = member.run({"upgrade", "prepare", "--keep-serving", "--timeout", "1"});
  CHECK(late.code == exit_code(Fault::Locked));
  CHECK_THAT(late.err, Contains("(no sync is at work) failed: " + process) &&
                           Contains("upgrade prepare (or back: "));
  CHECK_FALSE(member.replay_paused());

  const std::string said = member.node.tree.path_of("prepare.out");
  test::Child prepare(member.node.line({"upgrade", "prepare", "--keep-serving"}), said);
  REQUIRE(eventually([&] {
    return member.node.tree.exists("prepare.out") &&
           member.node.tree.read("prepare.out").find("] no sync is at work: ") != std::string::npos;
  }));
  CHECK_FALSE(prepare.ended_within(std::chrono::milliseconds(0)));
  held.let_go();
  CHECK(held.wait() == 0);
  REQUIRE(prepare.ended_within(std::chrono::seconds(30)));
  CHECK(WEXITSTATUS(prepare.status()) == 0);
  CHECK(member.state()->phase == UpgradePhase::Prepared);
  CHECK(member.sync.etc.read("conf.d/local.ini") != "[proxy]\nversion=new\n");
  member.upgrade({"finish"});
  check_back(member);
  CHECK(member.sync.etc.read("conf.d/local.ini") == "[proxy]\nversion=new\n");
}

TEST_CASE("upgrade: a maintenance mode that would end before the upgrade is refused", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  member.upgrade({"prepare"});
  const Ran ran = member.run({"maintenance", "on", "--reason", "upgrade", "--for", "7200"});
  CHECK(ran.code == exit_code(Fault::Refused));
  CHECK_THAT(ran.err, Contains("leave out --for") && Contains("xroad-companion upgrade finish"));
  CHECK_THAT(mode(member), Contains("(prepared ") && !Contains("to go"));
  member.upgrade({"finish"});
  check_back(member);
  CHECK(member.run({"maintenance", "on", "--for", "7200"}).code == 0);
}

TEST_CASE("upgrade: finish leaves what somebody else has stopped after prepare", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  SECTION("maintenance mode") {
    member.upgrade({"prepare"});
    REQUIRE(member.run({"maintenance", "on", "--reason", "disk failing"}).code == 0);
    CHECK_THAT(member.upgrade({"finish"}), Contains("which is not the upgrade's") &&
                                               Contains("disk failing") &&
                                               Contains("xroad-companion maintenance off"));
  }
  SECTION("maintenance mode, with a second prepare behind it") {
    member.upgrade({"prepare"});
    REQUIRE(member.run({"maintenance", "on", "--reason", "disk failing"}).code == 0);
    CHECK_THAT(member.upgrade({"prepare"}), Contains("finish puts it back as it was"));
    CHECK_THAT(mode(member), Contains("(prepared "));
    CHECK_THAT(member.upgrade({"finish"}), Contains("as it was before the upgrade"));
  }
  CHECK_THAT(mode(member), Contains("disk failing"));
  CHECK(member.health() == 503);
  CHECK_FALSE(member.replay_paused());
  CHECK_FALSE(member.sync_paused());
  CHECK_FALSE(member.state());
}

TEST_CASE("upgrade: finish leaves a flag that was touched after prepare", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  member.upgrade({"prepare"});
  member.sync.dir.write("flag", "");
  CHECK_THAT(member.upgrade({"finish"}), Contains("sync now: later: the sync stays paused, by ") &&
                                             Contains("xroad-sync resume, then xroad-sync"));
  CHECK(member.sync.dir.read("flag").empty());
  CHECK(member.sync_paused());
  CHECK(member.health() == 200);
  CHECK_FALSE(member.state());
}

TEST_CASE("upgrade: a second prepare stops what the first was told to leave", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  member.upgrade({"prepare", "--keep-serving", "--without-sync", "--reason", "7.5"});
  CHECK_FALSE(member.sync_paused());
  CHECK_THAT(member.upgrade({"prepare"}),
             Contains("This goes on with the upgrade") && Contains("] pause xroad-sync: done\n"));
  CHECK(member.sync_paused());
  CHECK(member.health() == 503);

  const std::string said = member.upgrade({"prepare", "--keep-serving", "--without-sync",
                                           "--without-replay", "--reason", "7.6 at last"});
  for (const char* option : {"--keep-serving", "--without-sync", "--without-replay"}) {
    CHECK_THAT(said, Contains(std::string(option) + " is without effect"));
  }
  CHECK_THAT(mode(member), Contains("7.6 at last"));
  CHECK_THAT(member.sync.run({"status"}).out, Contains("7.6 at last"));
  CHECK(member.replay_paused());
  member.upgrade({"finish"});
  check_back(member);

  // How it was before is seen when a part comes in.
  member.upgrade({"prepare", "--keep-serving", "--without-replay"});
  member.standby->sql("select pg_wal_replay_pause()");
  REQUIRE(eventually([&] { return member.replay_paused(); }));
  CHECK_THAT(member.upgrade({"prepare"}), Contains("Replay was paused before"));
  CHECK_THAT(member.upgrade({"finish"}), Contains("Replay stays paused"));
  CHECK(member.replay_paused());
}

TEST_CASE("upgrade: a node that was promoted in between is finished", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  member.upgrade({"prepare"});
  member.standby->sql("select pg_promote()");
  CHECK_THAT(member.upgrade({"prepare"}), Contains("there is no replay to pause"));
  SECTION("its node.ini does not know yet") {
    CHECK_THAT(member.upgrade({"finish"}),
               Contains("is a primary now") && Contains("] sync now: done"));
    CHECK(member.health() == 200);
    CHECK_FALSE(member.sync_paused());
    CHECK_FALSE(member.state());
    const Ran fresh = member.run({"upgrade", "prepare"});
    CHECK(fresh.code == exit_code(Fault::Role));
    CHECK_THAT(fresh.err, Contains("--without-replay"));
    CHECK_FALSE(member.state());
  }
  SECTION("its node.ini says so") {
    member.node.tree.file("xroad/conf.d/node.ini", "[node]\ntype=master\n");
    member.upgrade({"prepare"});
    CHECK_THAT(member.upgrade({"finish"}), Contains("no sync was made, and it stays paused, by ") &&
                                               Contains("xroad-sync resume"));
    CHECK(member.health() == 200);
    CHECK(member.sync_paused());
    CHECK_FALSE(member.state());
  }
}

TEST_CASE("upgrade: finish resumes what it can where the companion does not start", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  member.upgrade({"prepare"});
  member.node.kill();
  const Ran failed = member.run({"upgrade", "finish", "--timeout", "3"});
  CHECK(failed.code == exit_code(Fault::Network));
  CHECK_THAT(failed.err, Contains("(every check passes) failed") &&
                             Contains("go on with: xroad-companion upgrade finish"));
  CHECK_FALSE(member.replay_paused());
  CHECK_FALSE(member.sync_paused());
  member.node.serve();
  CHECK(member.health() == 503);
  member.upgrade({"finish"});
  check_back(member);
}

TEST_CASE("upgrade: a sync whose status cannot be read is paused and resumed all the same",
          "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  member.sync.dir.write("status.json", "{\"v\": 7}");
  member.upgrade({"prepare"});
  CHECK(member.sync_paused());
  CHECK_THAT(member.upgrade({"status"}), Contains("sync:             paused by"));
  member.upgrade({"finish"});
  check_back(member);
}
