// SPDX-License-Identifier: MIT
// Two standbys of one primary are both promoted, each by somebody else: their timelines have the
// same number and often the same history, and are not the same.
#include <filesystem>
#include <fstream>

#include "companion/replication/promote.h"
#include "tests/companion/replication/rejoiner.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// The first primary is dead, `ss2` and `ss3` have its rows 1..10.
struct Trio {
  FailoverPair pair;
  Node ss3{Node::Layout::InData, FailoverPair::settings()};

  Trio() {
    follow(pair.ss1, ss3, "ss3");
    pair.ss1.sql("insert into t select generate_series(1, 10)");
    REQUIRE(pair.caught_up());
    const std::string end = pair.ss1.value("select pg_current_wal_flush_lsn()");
    REQUIRE(ss3.says("select pg_last_wal_replay_lsn() >= '" + end + "'", "t"));
  }

  // The third one has this row more than the second one.
  void lead(int id) const {
    pair.ss2.stop();
    pair.ss1.sql("insert into t values (" + std::to_string(id) + ")");
    REQUIRE(ss3.says("select count(*) from t where id = " + std::to_string(id), "1"));
  }

  RejoinOrder order() const {
    RejoinOrder order = rejoin_order(ss3, FailoverPair::conninfo(pair.ss2, "ss3"));
    order.discard = 0;
    return order;
  }

  void check_follows() const {
    pair.ss2.sql("insert into t values (40)");
    CHECK(ss3.says("select string_agg(id::text, ',' order by id) from t where id > 10", "21,40"));
  }
};

std::string history(const Node& node) {
  std::ifstream file(node.data() + "/pg_wal/00000002.history");
  const std::string line(std::istreambuf_iterator<char>(file), {});
  return line.substr(0, line.find("\t", 2));
}

void make_standby(const Node& node) {
  std::ofstream(node.data() + "/standby.signal");
  give_to_postgres(node.data() + "/standby.signal");
}

}  // namespace

TEST_CASE("rejoin: a node that was promoted too, at the same place, is seen, and takes a copy",
          "[replication]") {
  if (without_postgres()) return;
  const Trio trio;
  kill_server(trio.pair.ss1);
  promoted(order_for(trio.pair.ss2));
  promoted(order_for(trio.ss3));
  REQUIRE(history(trio.ss3) == history(trio.pair.ss2));
  trio.pair.ss2.sql("insert into t values (21)");
  trio.ss3.sql("insert into t values (31)");

  RejoinOrder order = trio.order();
  check_refused(order, 25, "were both promoted to timeline 2");  // it runs
  check_refused(order, 25, "--allow-reclone");
  CHECK(trio.ss3.value("select pg_is_in_recovery()") == "f");
  trio.ss3.stop();
  make_standby(trio.ss3);
  const std::string before = picture(trio.ss3.dir().path());
  check_refused(order, 25, "were both promoted to timeline 2");
  order.allow_reclone = true;
  // The row, and the message by which promote sees that writes succeed.
  check_refused(order, 25, "2 transaction(s) were committed on this node behind 0/");
  CHECK(picture(trio.ss3.dir().path()) == before);

  order.discard = 2;
  const bool runs = GENERATE(false, true);
  CAPTURE(runs);
  if (runs) {
    std::filesystem::remove(trio.ss3.data() + "/standby.signal");
    trio.ss3.start();
  }
  const std::string said = rejoined(order);
  CAPTURE(said);
  CHECK_THAT(said, Contains("2 transaction(s) that were committed here") &&
                       Contains("Its old data lies in "));
  trio.check_follows();
  CHECK_THAT(rejoined(order), Contains("nothing to do"));
}

TEST_CASE("rejoin: a node that was promoted too, at another place, takes a copy", "[replication]") {
  if (without_postgres()) return;
  const Trio trio;
  trio.lead(11);
  kill_server(trio.pair.ss1);
  trio.pair.ss2.start();
  promoted(order_for(trio.pair.ss2));
  promoted(order_for(trio.ss3));
  REQUIRE(history(trio.ss3) != history(trio.pair.ss2));
  trio.pair.ss2.sql("insert into t values (21)");
  trio.ss3.sql("insert into t values (31)");
  trio.ss3.stop();

  RejoinOrder order = trio.order();
  order.discard = 3;
  check_refused(order, 25, "were both promoted to timeline 2");
  order.allow_reclone = true;
  for (const char* setting : {"log_replication_commands = on", "log_line_prefix = 'by %a '"}) {
    trio.pair.ss2.sql(std::string("alter system set ") + setting);
  }
  trio.pair.ss2.sql("select pg_reload_conf()");
  CHECK_THAT(rejoined(order), Contains("Its old data lies in "));
  // A commit that waits for ss3 is not let go by what only streams into a copy.
  const std::string log = trio.pair.ss2.log();
  const std::string stream = "received replication command: START_REPLICATION SLOT \"ss3\"";
  CHECK_THAT(log, Contains("by pg_basebackup LOG:  " + stream));
  CHECK_THAT(log, Contains("by ss3 LOG:  " + stream));  // the standby itself
  CHECK_THAT(log, !Contains("by ss3 LOG:  received replication command: BASE_BACKUP"));
  trio.check_follows();
}

TEST_CASE("rejoin: what was committed on each timeline of a node is counted", "[replication]") {
  if (without_postgres()) return;
  const Trio trio;
  trio.lead(11);
  kill_server(trio.pair.ss1);
  const Node& ss2 = trio.pair.ss2;
  for (const char* timeline : {"2", "3"}) {
    make_standby(ss2);
    ss2.start();
    ss2.sql("select pg_promote()");
    ss2.sql("checkpoint");
    REQUIRE(ss2.says("select timeline_id from pg_control_checkpoint()", timeline));
    if (*timeline == '2') ss2.stop();
  }
  ss2.sql("insert into t values (21)");
  // Its own timeline 2 has nothing; the row is on timeline 1.
  trio.ss3.sql("select pg_promote()");
  trio.ss3.stop();

  RejoinOrder order = trio.order();
  check_refused(order, 25, "1 transaction(s) were committed on this node behind 0/");
  order.discard = 1;
  CHECK_THAT(rejoined(order), Contains("1 transaction(s) that were committed here"));
  trio.check_follows();
}

TEST_CASE("rejoin: a standby that was started as a primary without a promotion is seen",
          "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  pair.ss1.sql("insert into t select generate_series(1, 10)");
  pair.ss1.sql("select pg_switch_wal()");
  REQUIRE(pair.caught_up());
  pair.ss2.stop();
  std::filesystem::remove(pair.ss2.data() + "/standby.signal");
  pair.ss2.start();
  REQUIRE(pair.ss2.value("select timeline_id from pg_control_checkpoint()") == "1");
  pair.ss2.sql("insert into t values (21)");
  pair.ss1.sql("insert into t values (11)");
  // Which of the two has more log does not matter.
  const bool ahead = GENERATE(false, true);
  CAPTURE(ahead);
  (ahead ? pair.ss1 : pair.ss2).sql("select pg_switch_wal()");
  (ahead ? pair.ss1 : pair.ss2).sql("checkpoint");

  RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());
  order.discard = 0;
  check_refused(order, 25, "were both primaries on timeline 1");
  check_refused(rejoin_order(pair.ss1, pair.to_ss1()), 25, "is it this very server");
  order.allow_reclone = true;
  check_refused(order, 25, "1 transaction(s) were committed on this node behind 0/");
  CHECK(pair.ss1.value("select pg_is_in_recovery()") == "f");
  order.discard = 1;
  CHECK_THAT(rejoined(order), Contains("1 transaction(s) that were committed here"));
  CHECK(pair.ss1.says("select string_agg(id::text, ',') from t where id > 10", "21"));
}
