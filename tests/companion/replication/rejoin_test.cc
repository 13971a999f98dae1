// SPDX-License-Identifier: MIT
#include "companion/replication/rejoin.h"

#include <filesystem>

#include "base/clock.h"
#include "companion/replication/cluster_lock.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/connection.h"
#include "companion/replication/copy_place.h"
#include "companion/replication/new_primary.h"
#include "companion/replication/rewind.h"
#include "companion/wall.h"
#include "tests/companion/replication/deaths.h"
#include "tests/companion/replication/rejoiner.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

// Killed at each step, one run after the other, and never a primary.
int kill_through(const FailoverPair& pair, const RejoinOrder& order) {
  const auto run = [&](const Say& say) {
    SteadyClock clock;
    rejoin(order, clock, &wall_now, say);
  };
  int step = 1;
  for (; step < 30 && dies_at_step(step, run); ++step) {
    CAPTURE(step);
    if (step > 2) CHECK(fs::exists(pair.ss1.data() + "/standby.signal"));
    if (pair.ss1.running()) CHECK(pair.ss1.says("select pg_is_in_recovery()", "t"));
  }
  return step;
}

}  // namespace

TEST_CASE("rejoin: a killed old primary is rewound, and what it loses is told", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  mark(pair);
  diverge(pair);
  RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());

  const std::string before = picture(pair.ss1.data());
  order.dry_run = true;
  const std::string plan = rejoined(order);
  CAPTURE(plan);
  CHECK_THAT(plan, Contains("went separate ways at 0/"));
  CHECK_THAT(plan, Contains("5 transaction(s) that were committed here"));
  CHECK_THAT(plan, Contains("--no-ensure-shutdown --dry-run"));
  CHECK_THAT(plan, Contains("+primary_conninfo = "));
  CHECK_THAT(plan, Contains("CREATE_REPLICATION_SLOT ss1 PHYSICAL"));
  CHECK(picture(pair.ss1.data()) == before);
  CHECK_FALSE(fs::exists(pair.ss1.data() + ".xroad-rejoin"));

  order.dry_run = false;
  const std::string wal = pair.ss1.data() + "/pg_wal";
  fs::rename(wal, pair.ss1.dir() / "wal");
  fs::create_directory(wal);
  check_refused(order, 25, "this node's log does not reach back to where the nodes went separate");
  fs::remove(wal);
  fs::rename(pair.ss1.dir() / "wal", wal);
  const std::string said = rejoined(order);
  CAPTURE(said);
  CHECK_THAT(said, Contains("timeline 2 (it was on 1)"));
  CHECK_THAT(said, Contains("are nowhere else, are thrown away"));
  check_follows(pair);
  CHECK_THAT(rejoined(order), Contains("nothing to do"));

  // Who may not read the other log cannot see that both were promoted: one that follows goes on.
  const std::string function = " on function pg_read_binary_file(text, bigint, bigint, boolean) ";
  pair.ss2.sql("revoke execute" + function + "from nodes");
  CHECK_THAT(rejoined(order), Contains("nothing to do"));
  check_refused(rejoin_order(pair.ss1, FailoverPair::conninfo(pair.ss2, "ss2")), 25,
                "promoted to timeline 2 cannot be seen: at the new primary");
  pair.ss2.sql("grant execute" + function + "to nodes");

  // A standby that runs is told whom to follow, and how, in the same way.
  CHECK_THAT(rejoined(rejoin_order(pair.ss1, FailoverPair::conninfo(pair.ss2, "ss2"))),
             Contains("stop its server: done"));
  CHECK(
      pair.ss2.says("select usename || ' ' || application_name from pg_stat_replication where "
                    "state = 'streaming'",
                    "ss2 ss2"));
}

TEST_CASE("rejoin: a rewind that was broken off leaves only the copy", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  mark(pair);
  diverge(pair);
  {
    RewindPlace place(pair.ss1.cluster());  // as a kill in the middle leaves it
    place.hold();
    place.park();
    place.set_mixed(true);
  }
  RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());
  // By its name, as RHEL has it, and found though no directory of that name is there.
  order.cluster.data = "";
  order.cluster.name = "data";
  order.roots.rhel_data = pair.ss1.dir() / "lib";
  order.dry_run = true;
  CHECK_THAT(rejoined(order), Contains("Run this without --dry-run"));
  CHECK_FALSE(fs::exists(pair.ss1.data()));
  order.dry_run = false;
  check_refused(order, 25, "the data is a mixture of two histories");
  CHECK(fs::exists(pair.ss1.data() + "/standby.signal"));
  order.allow_reclone = true;
  CHECK_THAT(rejoined(order), Contains("Its old data lies in "));
  check_follows(pair);
}

TEST_CASE("rejoin: killed between any two steps of a rewind it goes on", "[replication]") {
  if (without_postgres()) return;
  PairOptions options;
  options.layout = Node::Layout::Apart;
  const FailoverPair pair(options);
  mark(pair);
  diverge(pair);
  const int steps = kill_through(pair, rejoin_order(pair.ss1, pair.to_ss2()));
  CHECK(steps > 8);
  check_follows(pair);
}

TEST_CASE("rejoin: where nothing can be rewound a copy is taken, if that is allowed",
          "[replication]") {
  if (without_postgres()) return;
  PairOptions options;
  options.primary = {"wal_log_hints = off"};
  const FailoverPair pair(options);
  mark(pair);
  diverge(pair);
  RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());
  const std::string before = picture(pair.ss1.dir().path());
  check_refused(order, 25, "needs wal_log_hints=on, or data checksums");
  check_refused(order, 25, "--allow-reclone (this node's data is moved aside, not removed)");
  CHECK(picture(pair.ss1.dir().path()) == before);

  order.allow_reclone = true;
  {
    const ClusterLock busy(pair.ss1.cluster());
    check_refused(order, 40, "is at work in");
    PromoteOrder promotion;
    promotion.cluster = pair.ss2.choice();
    promotion.roots = nowhere(pair.ss2.dir());
    const ClusterLock there(pair.ss2.cluster());
    SteadyClock clock;
    const auto locked = thrown_by([&] { promote(promotion, clock, [](std::string_view) {}); });
    REQUIRE(locked);
    CHECK(exit_code(locked->fault()) == 40);
  }
  {
    // What a `setup standby` of another day has left is no copy of ours.
    const CopyPlace left(pair.ss1.cluster());
    left.make_room();
    fs::create_directory(left.copy());
    give_to_postgres(left.copy());
    left.note("prepared", "setup 7000 1");
  }
  const int steps = kill_through(pair, order);
  CHECK(steps > 9);
  check_follows(pair);
  int aside = 0;
  for (const auto& entry : fs::directory_iterator(pair.ss1.dir() / "lib")) {
    if (entry.path().filename().string().starts_with("data.old-")) {
      ++aside;
      CHECK(data_version(entry.path().string()));
    }
  }
  CHECK(aside == 1);
}

TEST_CASE("rejoin: an old primary that runs, idle and with nothing of its own, streams in the end",
          "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  mark(pair);
  pair.ss1.sql("insert into t select generate_series(1, 10)");
  REQUIRE(pair.caught_up());
  pair.ss2.sql("select pg_promote()");
  pair.ss2.sql("checkpoint");
  pair.ss2.sql("insert into t values (21)");
  const std::string said = rejoined(rejoin_order(pair.ss1, pair.to_ss2()));
  CAPTURE(said);
  CHECK_THAT(said, Contains("behind it this node committed nothing"));
  check_follows(pair);
}

TEST_CASE("rejoin: a slot that keeps nothing, or has lost its log, is made anew", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  pair.ss1.sql("alter system set wal_keep_size = 0");
  pair.ss1.sql("alter system set max_slot_wal_keep_size = '1MB'");
  pair.ss1.sql("select pg_reload_conf()");
  REQUIRE(pair.ss1.says("show max_slot_wal_keep_size", "1MB"));
  SteadyClock clock;
  const DbTarget target = parse_conninfo(pair.to_ss1(), "test");
  const auto has = [&](const char* slot) {
    return has_slot(target, slot, clock, clock.now() + 20s);
  };
  const auto kept = [&](const char* slot) {
    return pair.ss1.value(
        "select restart_lsn is not null from pg_replication_slots where "
        "slot_name = '" +
        std::string(slot) + "'");
  };
  pair.ss1.sql("select pg_create_physical_replication_slot('idle')");
  pair.ss1.sql("select pg_create_physical_replication_slot('lost', true)");
  for (int i = 0; i < 4; ++i) {
    pair.ss1.sql("insert into t values (" + std::to_string(i) + ")");
    pair.ss1.sql("select pg_switch_wal()");
    pair.ss1.sql("checkpoint");
  }
  REQUIRE(pair.ss1.value("select wal_status from pg_replication_slots where slot_name = 'lost'") ==
          "lost");
  for (const char* slot : {"idle", "lost", "fresh"}) {
    CAPTURE(slot);
    CHECK_FALSE(has(slot));
    make_slot(target, slot, clock, clock.now() + 20s);
    CHECK(has(slot));
    CHECK(kept(slot) == "t");
  }
  // One that keeps something stays what it is.
  const std::string before = pair.ss1.value(
      "select restart_lsn from pg_replication_slots where "
      "slot_name = 'fresh'");
  pair.ss1.sql("select pg_switch_wal()");
  make_slot(target, "fresh", clock, clock.now() + 20s);
  CHECK(pair.ss1.value("select restart_lsn from pg_replication_slots where slot_name = 'fresh'") ==
        before);
}

TEST_CASE("rejoin: one that was stopped in time follows without a rewind", "[replication]") {
  if (without_postgres()) return;
  PairOptions options;
  options.primary = {"wal_log_hints = off"};  // so that there is no other way
  options.layout = Node::Layout::Apart;
  const FailoverPair pair(options);
  pair.ss1.sql("insert into t values (1)");
  pair.ss1.stop();  // it sends its last record
  promote_node(pair.ss2);
  const std::string said = rejoined(rejoin_order(pair.ss1, pair.to_ss2()));
  CAPTURE(said);
  CHECK_THAT(said, Contains("nothing is thrown away"));
  CHECK_THAT(said, !Contains("pg_rewind"));
  CHECK_THAT(said, Contains("the slot 'ss2' is left from its time as a primary"));
  pair.ss2.sql("insert into t values (2)");
  CHECK(pair.ss1.says("select count(*) from t", "2"));
}
