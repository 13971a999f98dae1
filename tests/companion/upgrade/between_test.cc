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
