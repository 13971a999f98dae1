// SPDX-License-Identifier: MIT
// What a node needs of the log in order to follow is no longer at the new primary: nobody kept it,
// because a standby has no slots for the other nodes.
#include <filesystem>

#include "companion/replication/promote.h"
#include "companion/wall.h"
#include "tests/companion/replication/rejoiner.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

const std::vector<std::string> kKeepNothing{"wal_keep_size = 0", "min_wal_size = 32MB",
                                            "max_wal_size = 32MB"};

bool has_file(const Node& node, const std::string& name) {
  return node.value("select count(*) from pg_ls_waldir() where name = '" + name + "'") == "1";
}

// The primary goes through this many files of its log; whoever keeps none drops the older ones.
void use_up_log(const Node& primary, int files) {
  for (int i = 0; i < files; ++i) {
    primary.sql("select pg_logical_emit_message(false, 'test', 'x')");
    primary.sql("select pg_switch_wal()");
  }
  primary.sql("checkpoint");
}

}  // namespace

TEST_CASE("rejoin: a standby whose log is gone at the new primary takes a copy, if that is allowed",
          "[replication]") {
  if (without_postgres()) return;
  PairOptions options;
  options.primary = kKeepNothing;
  const FailoverPair pair(options);
  const Node ss3(Node::Layout::InData, FailoverPair::settings(options));
  follow(pair.ss1, ss3, "ss3");
  pair.ss1.sql("insert into t values (1)");
  REQUIRE(ss3.says("select count(*) from t", "1"));
  const std::string needed = pair.ss1.value("select pg_walfile_name(pg_current_wal_flush_lsn())");
  ss3.stop();
  use_up_log(pair.ss1, 5);
  REQUIRE(pair.caught_up());
  pair.ss2.sql("checkpoint");
  kill_server(pair.ss1);
  promoted(order_for(pair.ss2));
  REQUIRE_FALSE(has_file(pair.ss2, needed));
  pair.ss2.sql("insert into t values (21)");

  RejoinOrder order = rejoin_order(ss3, FailoverPair::conninfo(pair.ss2, "ss3"));
  order.discard = 0;
  order.stream_limit = 5s;
  const std::string before = picture(ss3.dir().path());
  check_refused(order, 25, "has no longer the log that this node needs (" + needed + ")");
  check_refused(order, 25, "--allow-reclone");
  CHECK(picture(ss3.dir().path()) == before);
  ss3.start();  // it runs, and does not get any further
  check_refused(order, 25, "has no longer the log that this node needs (" + needed + ")");

  order.allow_reclone = true;
  order.stream_limit = 60s;
  CHECK_THAT(rejoined(order), Contains("Its old data lies in "));
  CHECK(ss3.says("select string_agg(id::text, ',' order by id) from t", "1,21"));
}

TEST_CASE("rejoin: an old primary is not rewound when what it would need then is gone",
          "[replication]") {
  if (without_postgres()) return;
  PairOptions options;
  options.primary = kKeepNothing;
  const FailoverPair pair(options);
  mark(pair);
  diverge(pair);
  use_up_log(pair.ss2, 5);
  RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());
  order.stream_limit = 5s;
  const std::string before = picture(pair.ss1.dir().path());
  check_refused(order, 25, "has no longer the log that this node needs (00000002");
  CHECK(picture(pair.ss1.dir().path()) == before);
  order.allow_reclone = true;
  order.stream_limit = 60s;
  CHECK_THAT(rejoined(order), Contains("Its old data lies in "));
  check_follows(pair);
}

TEST_CASE("rejoin: a log that is dropped while it works is told, with the way on",
          "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  const Node ss3(Node::Layout::InData, FailoverPair::settings());
  follow(pair.ss1, ss3, "ss3");
  ss3.stop();
  use_up_log(pair.ss1, 2);
  REQUIRE(pair.caught_up());
  kill_server(pair.ss1);
  promoted(order_for(pair.ss2));
  pair.ss2.sql("insert into t values (21)");

  RejoinOrder order = rejoin_order(ss3, FailoverPair::conninfo(pair.ss2, "ss3"));
  order.stream_limit = 5s;
  SteadyClock clock;
  const auto late = thrown_by([&] {
    rejoin(order, clock, &wall_now, [&](std::string_view text) {
      if (text.find("stop its server") == std::string_view::npos) return;
      pair.ss2.sql("alter system set wal_keep_size = 0");
      pair.ss2.sql("alter system set max_wal_size = '32MB'");
      pair.ss2.sql("alter system set min_wal_size = '32MB'");
      pair.ss2.sql("select pg_reload_conf()");
      use_up_log(pair.ss2, 5);
    });
  });
  REQUIRE(late);
  CHECK(exit_code(late->fault()) == 30);
  CHECK_THAT(late->text(), Contains("has no longer the log that this node needs (0000000") &&
                               Contains("--allow-reclone"));
  order.allow_reclone = true;
  order.stream_limit = 60s;
  CHECK_THAT(rejoined(order), Contains("Its old data lies in "));
  CHECK(ss3.says("select string_agg(id::text, ',' order by id) from t", "21"));
}
