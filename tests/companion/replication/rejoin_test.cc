// SPDX-License-Identifier: MIT
#include "companion/replication/rejoin.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "companion/replication/cluster_lock.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/connection.h"
#include "companion/replication/copy_place.h"
#include "companion/replication/new_primary.h"
#include "companion/replication/rewind.h"
#include "companion/wall.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

RejoinOrder order_for(const Node& node, const std::string& primary) {
  RejoinOrder order;
  order.cluster = node.choice();
  order.cluster.port = node.port();
  order.cluster.sockets = node.dir() / "run";
  order.roots = nowhere(node.dir());
  order.primary = primary;
  order.patience = 5s;
  order.stream_limit = 60s;
  order.discard = 5;  // as many as diverge() makes
  order.again = "rejoin again";
  return order;
}

std::string rejoined(const RejoinOrder& order) {
  SteadyClock clock;
  std::string said;
  rejoin(order, clock, &wall_now, [&](std::string_view text) { said += text; });
  return said;
}

void promote_node(const Node& node) {
  SteadyClock clock;
  PromoteOrder order;
  order.cluster = node.choice();
  order.roots = nowhere(node.dir());
  order.patience = 1s;
  order.again = "promote again";
  promote(order, clock, [](std::string_view) {});
}

// Rows 1..10 on both, 11..15 on the old primary alone, which is killed; then the standby is the
// primary, and has 21.
void diverge(const FailoverPair& pair) {
  pair.ss1.sql("insert into t select generate_series(1, 10)");
  REQUIRE(pair.caught_up());
  pair.ss2.stop();
  for (int id = 11; id <= 15; ++id) {
    pair.ss1.sql("insert into t values (" + std::to_string(id) + ")");
  }
  kill_server(pair.ss1);
  pair.ss2.start();
  promote_node(pair.ss2);
  pair.ss2.sql("insert into t values (21)");
}

// It follows, has what the new primary has and nothing else, and is configured as it was.
void check_follows(const FailoverPair& pair) {
  CHECK(pair.ss1.value("select pg_is_in_recovery()") == "t");
  CHECK(
      pair.ss2.says("select count(*) from pg_stat_replication where state = 'streaming' and "
                    "application_name = 'ss1'",
                    "1"));
  CHECK(pair.ss1.value("select count(*) from t where id between 11 and 15") == "0");
  pair.ss2.sql("insert into t values (22)");
  CHECK(
      pair.ss1.says("select string_agg(id::text, ',' order by id) from t where id > 10", "21,22"));
  CHECK(pair.ss1.value("show port") == std::to_string(pair.ss1.port()));
  CHECK(pair.ss1.value("select count(*) from pg_hba_file_rules where user_name = '{mark}'") == "1");
  CHECK(pair.ss1.value("show work_mem") == "7MB");
  CHECK(pair.ss1.value("show synchronous_standby_names").empty());
  CHECK(fs::exists(pair.ss1.data() + "/conf.d/of-this-node"));
  CHECK_FALSE(fs::exists(pair.ss1.data() + "/of-the-other-node"));
  CHECK_FALSE(fs::exists(pair.ss1.data() + ".xroad-rejoin"));
  CHECK_FALSE(fs::exists(pair.ss1.data() + ".xroad-companion"));
}

// What marks a node's configuration, for check_follows().
void mark(const FailoverPair& pair) {
  pair.ss1.sql("alter system set work_mem = '7MB'");
  pair.ss1.sql("alter system set synchronous_standby_names = ''");
  pair.ss2.sql("alter system set work_mem = '9MB'");
  pair.ss1.append("pg_hba.conf", "local all mark trust\n");
  fs::create_directory(pair.ss1.data() + "/conf.d");
  std::ofstream(pair.ss1.data() + "/conf.d/of-this-node") << "x";
  give_to_postgres(pair.ss1.data() + "/conf.d");
  give_to_postgres(pair.ss1.data() + "/conf.d/of-this-node");
  std::ofstream(pair.ss2.data() + "/of-the-other-node") << "x";
  give_to_postgres(pair.ss2.data() + "/of-the-other-node");
}

// Name, size and time of everything below.
std::string picture(const std::string& directory) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const auto time = fs::last_write_time(entry.path()).time_since_epoch().count();
    const auto size = entry.is_regular_file() ? fs::file_size(entry.path()) : 0;
    lines.push_back(entry.path().string() + " " + std::to_string(size) + " " +
                    std::to_string(time));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

void check_refused(const RejoinOrder& order, int code, const std::string& reason) {
  CAPTURE(reason);
  const auto error = thrown_by([&] { rejoined(order); });
  REQUIRE(error);
  CHECK(exit_code(error->fault()) == code);
  CHECK_THAT(error->text(), Contains(reason));
}

// A run that ends by SIGKILL where it would begin its step number `step`; false: it came to its
// end before.
bool killed_at(const RejoinOrder& order, int step) {
  const pid_t child = ::fork();
  if (child == 0) {
    SteadyClock clock;
    const std::string label = "[" + std::to_string(step) + "/";
    try {
      rejoin(order, clock, &wall_now, [&](std::string_view text) {
        if (text.starts_with(label)) ::kill(::getpid(), SIGKILL);
      });
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) REQUIRE(WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status);
}

// Killed at each step, one run after the other, and never a primary.
int kill_through(const FailoverPair& pair, const RejoinOrder& order) {
  int step = 1;
  for (; step < 30 && killed_at(order, step); ++step) {
    CAPTURE(step);
    if (step > 2) CHECK(fs::exists(pair.ss1.data() + "/standby.signal"));
    if (pair.ss1.running()) CHECK(pair.ss1.says("select pg_is_in_recovery()", "t"));
  }
  return step;
}

}  // namespace

TEST_CASE("rejoin: a killed old primary is rewound, and what it loses is told", "[replication]") {
  if (skipped()) return;
  const FailoverPair pair;
  mark(pair);
  diverge(pair);
  RejoinOrder order = order_for(pair.ss1, pair.to_ss2());

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

  // A standby that runs is told whom to follow, and how, in the same way.
  CHECK_THAT(rejoined(order_for(pair.ss1, FailoverPair::conninfo(pair.ss2, "ss2"))),
             Contains("stop its server: done"));
  CHECK(
      pair.ss2.says("select usename || ' ' || application_name from pg_stat_replication where "
                    "state = 'streaming'",
                    "ss2 ss2"));
}

TEST_CASE("rejoin: a rewind that was broken off leaves only the copy", "[replication]") {
  if (skipped()) return;
  const FailoverPair pair;
  mark(pair);
  diverge(pair);
  {
    RewindPlace place(pair.ss1.cluster());  // as a kill in the middle leaves it
    place.hold();
    place.park();
    place.set_mixed(true);
  }
  RejoinOrder order = order_for(pair.ss1, pair.to_ss2());
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
  if (skipped()) return;
  PairOptions options;
  options.layout = Node::Layout::Apart;
  const FailoverPair pair(options);
  mark(pair);
  diverge(pair);
  const int steps = kill_through(pair, order_for(pair.ss1, pair.to_ss2()));
  CHECK(steps > 8);
  check_follows(pair);
}

TEST_CASE("rejoin: where nothing can be rewound a copy is taken, if that is allowed",
          "[replication]") {
  if (skipped()) return;
  PairOptions options;
  options.primary = {"wal_log_hints = off"};
  const FailoverPair pair(options);
  mark(pair);
  diverge(pair);
  RejoinOrder order = order_for(pair.ss1, pair.to_ss2());
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

TEST_CASE("rejoin: what it refuses it leaves as it was", "[replication]") {
  if (skipped()) return;
  const FailoverPair pair;
  pair.ss1.sql("insert into t values (1)");
  REQUIRE(pair.caught_up());
  const RejoinOrder order = order_for(pair.ss1, pair.to_ss2());

  // Nobody has been promoted.
  check_refused(order, 46, "is a standby: say where the primary is");
  check_refused(order_for(pair.ss1, pair.to_ss1()), 25, "is it this very server");
  check_refused(order_for(pair.ss1, ""), 1, "where is the new primary?");
  check_refused(order_for(pair.ss1, "host=127.0.0.1 port=1 user=ss1 sslmode=disable"), 10,
                "Connection refused");
  check_refused(order_for(pair.ss1, "host=127.0.0.1 port=1 user=ss1"), 1, "ssl_ca_file is empty");
  check_refused(order_for(pair.ss1, FailoverPair::conninfo(pair.ss2, "stranger")), 42,
                "setup primary --standby stranger");
  {
    const Node foreign;
    foreign.start();
    foreign.sql("create role ss1 login replication");
    check_refused(order_for(pair.ss1, FailoverPair::conninfo(foreign, "ss1")), 43,
                  "is the primary of another cluster");
  }
  pair.ss2.sql("select pg_promote()");
  pair.ss2.sql("checkpoint");
  {
    const Frozen frozen(pair.ss2);
    check_refused(order, 35, "in time");
  }
  check_refused(order_for(pair.ss2, pair.to_ss1()), 25, "this node is newer (timeline 2)");
  {
    const pid_t psql = ::fork();
    if (psql == 0) {
      const std::string port = std::to_string(pair.ss1.port());
      const std::string sockets = pair.ss1.dir() / "run";
      ::execlp("psql", "psql", "-h", sockets.c_str(), "-p", port.c_str(), "-U",
               postgres_account().c_str(), "-d", "postgres", "-c", "select pg_sleep(600)", nullptr);
      ::_exit(127);
    }
    CHECK(
        pair.ss1.says("select count(*) from pg_stat_activity where query like '%pg_sleep(600)%' "
                      "and pid <> pg_backend_pid()",
                      "1"));
    check_refused(order, 25, "runs as a primary and has clients (1, such as " + postgres_account());
    ::kill(psql, SIGKILL);
    ::waitpid(psql, nullptr, 0);
    pair.ss1.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like "
        "'%pg_sleep(600)%' and pid <> pg_backend_pid()");
  }
  CHECK_FALSE(fs::exists(pair.ss1.data() + "/standby.signal"));
  CHECK_FALSE(fs::exists(pair.ss1.data() + ".xroad-rejoin"));
  CHECK(pair.ss1.value("select pg_is_in_recovery()") == "f");

  // Without clients, and with writes that nobody has, it is stopped and rewound.
  CHECK(pair.ss1.says("select count(*) from pg_stat_activity where backend_type = 'client backend'",
                      "1"));
  pair.ss1.sql("insert into t values (11)");
  CHECK_THAT(rejoined(order), Contains("is a standby of 127.0.0.1:"));
  CHECK(pair.ss1.value("select count(*) from t where id = 11") == "0");
}

TEST_CASE("rejoin: an old primary that runs, idle and with nothing of its own, streams in the end",
          "[replication]") {
  if (skipped()) return;
  const FailoverPair pair;
  mark(pair);
  pair.ss1.sql("insert into t select generate_series(1, 10)");
  REQUIRE(pair.caught_up());
  pair.ss2.sql("select pg_promote()");
  pair.ss2.sql("checkpoint");
  pair.ss2.sql("insert into t values (21)");
  const std::string said = rejoined(order_for(pair.ss1, pair.to_ss2()));
  CAPTURE(said);
  CHECK_THAT(said, Contains("behind it this node committed nothing"));
  check_follows(pair);
}

TEST_CASE("rejoin: a new primary without a checkpoint is waited for, and nothing is changed",
          "[replication]") {
  if (skipped()) return;
  const FailoverPair pair;
  mark(pair);
  pair.ss1.sql("insert into t select generate_series(1, 10)");
  REQUIRE(pair.caught_up());
  RejoinOrder order = order_for(pair.ss1, pair.to_ss2());
  order.checkpoint_limit = 1s;
  {
    const Halted halted(pair.ss2, "checkpointer");
    pair.ss2.sql("select pg_promote()");
    REQUIRE(pair.ss2.says("select pg_is_in_recovery()", "f"));
    check_refused(order, 30, "has made no checkpoint, so nothing can be rewound");
    CHECK(pair.ss1.running());
    CHECK_FALSE(fs::exists(pair.ss1.data() + "/standby.signal"));
  }
  pair.ss2.sql("insert into t values (21)");
  order.checkpoint_limit = 60s;
  CHECK_THAT(rejoined(order), Contains("is a standby of 127.0.0.1:"));
  check_follows(pair);
}

TEST_CASE("rejoin: what only this node has is thrown away by its number, or not at all",
          "[replication]") {
  if (skipped()) return;
  const FailoverPair pair;
  mark(pair);
  diverge(pair);
  RejoinOrder order = order_for(pair.ss1, pair.to_ss2());
  const std::string before = picture(pair.ss1.dir().path());
  for (const std::uint64_t few : {0U, 4U}) {
    order.discard = few;
    check_refused(order, 25, "5 transaction(s) were committed on this node behind 0/");
    check_refused(order, 25, "say --discard 5. Nothing has been changed");
  }
  CHECK(picture(pair.ss1.dir().path()) == before);
  order.dry_run = true;
  CHECK_THAT(rejoined(order), Contains("are thrown away (--discard)"));
  order.dry_run = false;

  // It runs, and somebody writes while it is being stopped.
  pair.ss1.start();
  pair.ss1.sql("insert into t values (16)");
  order.discard = 6;
  SteadyClock clock;
  const auto late = thrown_by([&] {
    rejoin(order, clock, &wall_now, [&](std::string_view text) {
      if (text.starts_with("[2/")) pair.ss1.sql("insert into t values (17)");
    });
  });
  REQUIRE(late);
  CHECK(exit_code(late->fault()) == 25);
  CHECK_THAT(late->text(), Contains("committed 7 transaction(s) that are nowhere else, and 6 may"));
  CHECK_THAT(late->text(), Contains("It is left stopped") && Contains("say --discard 7"));
  CHECK_FALSE(pair.ss1.running());
  CHECK(fs::exists(pair.ss1.data() + "/standby.signal"));
  check_refused(order, 25, "7 transaction(s) were committed on this node behind 0/");
  order.discard = 7;
  CHECK_THAT(rejoined(order), Contains("7 transaction(s) that were committed here"));
  check_follows(pair);
}

TEST_CASE("rejoin: a slot that keeps nothing, or has lost its log, is made anew", "[replication]") {
  if (skipped()) return;
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
  if (skipped()) return;
  PairOptions options;
  options.primary = {"wal_log_hints = off"};  // so that there is no other way
  options.layout = Node::Layout::Apart;
  const FailoverPair pair(options);
  pair.ss1.sql("insert into t values (1)");
  pair.ss1.stop();  // it sends its last record
  promote_node(pair.ss2);
  const std::string said = rejoined(order_for(pair.ss1, pair.to_ss2()));
  CAPTURE(said);
  CHECK_THAT(said, Contains("nothing is thrown away"));
  CHECK_THAT(said, !Contains("pg_rewind"));
  CHECK_THAT(said, Contains("the slot 'ss2' is left from its time as a primary"));
  pair.ss2.sql("insert into t values (2)");
  CHECK(pair.ss1.says("select count(*) from t", "2"));
}
