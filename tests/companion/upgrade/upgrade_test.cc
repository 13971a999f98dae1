// SPDX-License-Identifier: MIT
// `xroad-companion upgrade` on one node, against real companions, databases and syncs.
#include <nlohmann/json.hpp>

#include "tests/companion/upgrade/member.h"
#include "tests/support/catch.h"

using namespace xs;
using namespace std::chrono_literals;
using Catch::Contains;
using test::eventually;
using test::Member;
using test::Postgres;
using test::Ran;

namespace {

constexpr const char* kPrepare[] = {"remember what this node is like",
                                    "maintenance mode on",
                                    "the health port answers 503",
                                    "pause xroad-sync",
                                    "no sync is at work",
                                    "pause replay"};
constexpr const char* kFinish[] = {
    "resume replay",      "catch up with the primary", "resume xroad-sync",          "sync now",
    "every check passes", "maintenance mode off",      "the health port answers 200"};

// Everything as it was before prepare.
void check_back(const Member& member) {
  CHECK(member.health() == 200);
  CHECK_FALSE(member.replay_paused());
  CHECK_FALSE(member.sync_paused());
  CHECK_FALSE(member.state());
}

void check_out(const Member& member) {
  CHECK(member.health() == 503);
  CHECK(member.replay_paused());
  CHECK(member.sync_paused());
  REQUIRE(member.state());
  CHECK(member.state()->phase == UpgradePhase::Prepared);
}

}  // namespace

TEST_CASE("upgrade: prepare takes a secondary out, finish brings it back caught up", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  REQUIRE(eventually([&] { return member.health() == 200; }));
  const std::string plan = member.upgrade({"prepare", "--dry-run", "--reason", "7.5"});
  for (const char* step : kPrepare) CHECK_THAT(plan, Contains(std::string("] ") + step + "\n"));
  CHECK_THAT(plan, Contains("Nothing has been changed"));
  check_back(member);

  const std::string said = member.upgrade({"prepare", "--reason", "7.5"});
  CHECK_THAT(said, Contains("[6/6] pause replay: done\n") && Contains("stop X-Road's services"));
  check_out(member);
  CHECK_THAT(member.run({"status"}).out, Contains("\n  upgrade: prepared ") &&
                                             Contains(" ago: 7.5\n") &&
                                             Contains("mend: xroad-companion upgrade finish"));
  CHECK_THAT(
      nlohmann::json::parse(member.run({"status", "--json"}).out)["upgrade"].get<std::string>(),
      Contains("prepared"));
  const auto json = nlohmann::json::parse(member.upgrade({"status", "--json"}));
  CHECK(json["phase"] == "prepared");
  CHECK(json["now"]["replay"] == "paused");
  const Ran off = member.run({"maintenance", "off"});
  CHECK(off.code == exit_code(Fault::Refused));
  CHECK_THAT(off.err, Contains("xroad-companion upgrade finish"));
  member.restart_companion();
  check_out(member);
  CHECK_THAT(member.upgrade({"prepare"}), Contains("[6/6] pause replay: done already\n"));
  check_out(member);

  cluster.database.sql("insert into written values (1)");
  cluster.tree.etc.file("conf.d/local.ini", "[proxy]\nchanged=true\n", 0640);
  const std::string back = member.upgrade({"finish", "--dry-run"});
  for (const char* step : kFinish) CHECK_THAT(back, Contains(std::string("] ") + step + "\n"));
  check_out(member);
  CHECK_THAT(member.upgrade({"finish"}), Contains("[7/7] the health port answers 200: done\n"));
  check_back(member);
  CHECK(member.standby->value("select count(*) from written") == "1");
  CHECK(member.sync.etc.read("conf.d/local.ini") == "[proxy]\nchanged=true\n");
  CHECK_THAT(member.upgrade({"finish"}), Contains("no upgrade is going on"));
  member.restart_companion();
  check_back(member);
}

TEST_CASE("upgrade: killed in any step, both verbs go on where they stopped", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  for (const char* step : kPrepare) {
    INFO("prepare killed in: " << step);
    REQUIRE(member.killed_at({"prepare"}, std::string("] ") + step));
    member.restart_companion();
    member.upgrade({"prepare"});
    check_out(member);
    CHECK(member.state()->sync_before.empty());
    CHECK_FALSE(member.state()->replay_before);
    CHECK_FALSE(member.state()->maintenance_before.on);
    member.upgrade({"finish"});
    check_back(member);
  }
  for (const char* step : kFinish) {
    INFO("finish killed in: " << step);
    member.upgrade({"prepare"});
    REQUIRE(member.killed_at({"finish"}, std::string("] ") + step));
    member.restart_companion();
    const auto state = member.state();
    // Without the file, or in its last phase, everything has been verified.
    if (state && state->keeps_out()) CHECK(member.health() == 503);
    CHECK((std::string(step) == kFinish[6] || std::string(step) == kFinish[5] ||
           (state && state->keeps_out())));
    member.upgrade({"finish"});
    check_back(member);
  }
  for (const char* step : kPrepare) {
    INFO("back from: " << step);
    REQUIRE(member.killed_at({"prepare"}, std::string("] ") + step));
    member.upgrade({"finish"});
    check_back(member);
  }
}

TEST_CASE("upgrade: finish without the primary keeps the node out, with its own exit code",
          "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  member.upgrade({"prepare"});
  cluster.database.stop();
  const Ran failed = member.run({"upgrade", "finish", "--timeout", "5"});
  CHECK((failed.code == exit_code(Fault::Network) ||
         failed.code == exit_code(Fault::ConnectTimeout)));
  CHECK_THAT(failed.err, Contains("step 2 of 7 (catch up with the primary) failed") &&
                             Contains("not begun: the steps after it") &&
                             Contains("go on with: xroad-companion upgrade finish") &&
                             Contains("; this node stays in maintenance mode"));
  CHECK(member.health() == 503);
  CHECK(member.sync_paused());
  CHECK_THAT(member.upgrade({"status"}),
             Contains("not finished (begun: catch up with the primary)"));
  member.restart_companion();
  CHECK(member.health() == 503);
  cluster.database.start();
  member.upgrade({"finish"});
  check_back(member);
}

TEST_CASE("upgrade: finish judges the sync by its exit code and repeats its words", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  member.upgrade({"prepare"});
  const std::string good = member.sync.dir.read("sync.ini");
  member.sync.dir.write("known_hosts", "");
  const Ran failed = member.run({"upgrade", "finish"});
  CHECK(failed.code == exit_code(Fault::HostKey));
  CHECK_THAT(failed.err, Contains("step 4 of 7 (sync now) failed") &&
                             Contains("ended with status 41") &&
                             Contains("it said: xroad-sync error: the host key "));
  CHECK(member.health() == 503);
  member.sync.dir.write("known_hosts", cluster.tree.known_host());
  member.upgrade({"finish"});
  check_back(member);
}

TEST_CASE("upgrade: a check that fails at finish is named with its mend", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster, "[checks]\nauth-key = false\nserverconf-db = false\n");
  member.upgrade({"prepare"});
  const Ran failed = member.run({"upgrade", "finish", "--timeout", "3"});
  CHECK(failed.code == exit_code(Fault::Mismatch));
  CHECK_THAT(failed.err, Contains("step 5 of 7 (every check passes) failed") &&
                             Contains("Global configuration is expired") && Contains("; mend: ") &&
                             Contains("stays in maintenance mode"));
  CHECK(member.health() == 503);
  member.configure(test::Node::kNoChecks);
  member.restart_companion();
  CHECK(member.health() == 503);
  member.upgrade({"finish"});
  check_back(member);
}

TEST_CASE("upgrade: what somebody else paused stays paused", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  member.sync.dir.write("flag", "");
  member.standby->sql("select pg_wal_replay_pause()");
  REQUIRE(eventually([&] { return member.replay_paused(); }));
  REQUIRE(member.run({"maintenance", "on", "--reason", "a disk", "--for", "900"}).code == 0);
  const std::string said = member.upgrade({"prepare"});
  CHECK_THAT(said, Contains("[4/6] pause xroad-sync: done already") &&
                       Contains("[6/6] pause replay: done already") &&
                       Contains("finish leaves it paused") && Contains("finish puts it back"));
  CHECK_THAT(member.run({"maintenance", "status"}).out, !Contains("to go"));
  const std::string finished = member.upgrade({"finish"});
  CHECK_THAT(finished, Contains("Replay stays paused, as it was before") &&
                           Contains("The sync stays paused, by ") &&
                           Contains("stays in maintenance mode, as it was before"));
  CHECK(member.replay_paused());
  CHECK(member.sync.dir.read("flag").empty());
  CHECK(member.sync_paused());
  CHECK_THAT(member.run({"maintenance", "status"}).out, Contains("to go: a disk"));
  CHECK(member.health() == 503);
  CHECK_FALSE(member.state());
}

TEST_CASE("upgrade: a pause that ends by itself is refused before anything is changed",
          "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  REQUIRE(member.sync.run({"pause", "--until", "2h"}).code == 0);
  const Ran refused = member.run({"upgrade", "prepare"});
  CHECK(refused.code == exit_code(Fault::Paused));
  CHECK_THAT(refused.err, Contains("ends by itself"));
  CHECK(member.health() == 200);
  CHECK_FALSE(member.state());
}

TEST_CASE("upgrade: paused while it serves, a node is taken out later and keeps its story",
          "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  CHECK_THAT(member.upgrade({"prepare", "--keep-serving"}), Contains("This node goes on serving"));
  CHECK(member.health() == 200);
  CHECK(member.replay_paused());
  CHECK(member.sync_paused());
  member.restart_companion();
  REQUIRE(eventually([&] { return member.health() == 200; }));
  // A restart of PostgreSQL lets replay go on; prepare stops it again.
  member.standby->stop();
  member.standby->start();
  CHECK_FALSE(member.replay_paused());
  member.upgrade({"prepare"});
  check_out(member);
  member.upgrade({"finish"});
  check_back(member);
  member.upgrade({"prepare", "--keep-serving"});
  member.upgrade({"finish"});
  check_back(member);
}

TEST_CASE("upgrade: its own pause is known again, whatever the reason is", "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  Member member(cluster);
  std::string umlauts;
  while (umlauts.size() < 300) umlauts += "\xc3\xa4";
  for (const std::string& reason :
       {std::string("  a; b # c = 'd' \"e\" \\ \\#303 [pause]\n\tby = f  "), "x" + umlauts,
        std::string(200, '\xff'), std::string("")}) {
    INFO(reason);
    member.upgrade({"prepare", "--reason", reason});
    check_out(member);
    CHECK_THAT(member.upgrade({"prepare"}), Contains("[2/6] maintenance mode on: done already"));
    member.upgrade({"finish"});
    check_back(member);
  }
}

TEST_CASE("upgrade: a primary gets maintenance mode alone, and is told what is not done",
          "[upgrade]") {
  test::Node node;
  test::configure_alone(node, "master", test::Node::kNoChecks);
  node.serve();
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "upgrade");
    return test::run_apart(node.line(words));
  };
  const auto health = [&] { return test::http_ask(node.health, "GET /").status(); };
  Ran ran = run({"prepare"});
  CHECK(ran.code == 0);
  CHECK_THAT(ran.out, Contains("[3/3] the health port answers 503: done") &&
                          Contains("nothing is paused on a primary") && Contains("--keep-serving"));
  CHECK_THAT(health(), Contains("503"));
  ran = run({"finish"});
  CHECK(ran.code == 0);
  CHECK_THAT(ran.out, Contains("[3/3] the health port answers 200: done"));
  CHECK_THAT(health(), Contains("200"));
  CHECK(run({"prepare", "--keep-serving"}).code == exit_code(Fault::Usage));
  test::configure_alone(node, "slaev", test::Node::kNoChecks);
  CHECK(run({"prepare"}).code == exit_code(Fault::Role));
  node.kill();
  test::configure_alone(node, "master", test::Node::kNoChecks);
  ran = run({"prepare"});
  CHECK(ran.code == exit_code(Fault::Network));
  CHECK_THAT(ran.err, Contains("systemctl start xroad-companion"));
}

TEST_CASE("upgrade: without a sync program or a database nothing is begun", "[upgrade]") {
  test::Node node;
  test::configure_alone(
      node, "slave",
      std::string(test::Node::kNoChecks) + "[replication]\nhost = /nonexistent/socket\n");
  node.serve();
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"upgrade", "prepare"});
    return test::run_apart(node.line(words));
  };
  CHECK(run({"--without-sync"}).code == exit_code(Fault::Io));
  CHECK_FALSE(node.tree.exists("upgrade.json"));
  CHECK_THAT(test::http_ask(node.health, "GET /").status(), Contains("200"));
  const Ran alone = run({"--without-sync", "--without-replay"});
  CHECK(alone.code == 0);
  CHECK_THAT(test::http_ask(node.health, "GET /").status(), Contains("503"));
}
