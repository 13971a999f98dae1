// SPDX-License-Identifier: MIT
// A fail-over among three nodes: one standby is promoted, the other one and the old primary follow
// it by `rejoin`.
#include "base/clock.h"
#include "companion/replication/promote.h"
#include "companion/replication/rejoin.h"
#include "companion/wall.h"
#include "tests/companion/replication/at_node.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

std::string rejoined(const Node& node, const Node& primary, const std::string& name,
                     std::uint64_t discard = 0) {
  SteadyClock clock;
  RejoinOrder order;
  order.cluster = node.choice();
  order.cluster.port = node.port();
  order.roots = nowhere(node.dir());
  order.primary = FailoverPair::conninfo(primary, name);
  order.stream_limit = 60s;
  order.discard = discard;
  std::string said;
  rejoin(order, clock, &wall_now, [&](std::string_view text) { said += text; });
  return said;
}

std::string status(const Node& node, std::vector<std::string> more = {}) {
  more.insert(more.begin(), "status");
  const Outcome outcome = ask_at(node, more);
  CHECK(outcome.end == kCleanEnd);
  return outcome.out;
}

}  // namespace

TEST_CASE("failover: of three nodes, the two others follow the promoted one", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  const Node ss3(Node::Layout::InData, FailoverPair::settings());
  follow(pair.ss1, ss3, "ss3");
  pair.ss1.sql("insert into t select generate_series(1, 10)");
  REQUIRE(pair.caught_up());
  // The third one is ahead of the second when the first one dies.
  pair.ss2.stop();
  pair.ss1.sql("insert into t values (11)");
  REQUIRE(ss3.says("select count(*) from t", "11"));
  kill_server(pair.ss1);
  pair.ss2.start();
  CHECK_THAT(promoted(order_for(pair.ss2)), Contains("This node is the primary now: timeline 2"));
  pair.ss2.sql("insert into t values (12)");

  CHECK_THAT(thrown_by([&] { rejoined(ss3, pair.ss2, "ss3"); }).value().text(),
             Contains("say --discard 1. Nothing has been changed"));
  const std::string third = rejoined(ss3, pair.ss2, "ss3", 1);
  CAPTURE(third);
  CHECK_THAT(third, Contains("1 transaction(s) that were committed here behind it"));
  CHECK_THAT(third, Contains("is a standby of 127.0.0.1:" + std::to_string(pair.ss2.port())));
  const std::string first = rejoined(pair.ss1, pair.ss2, "ss1", 1);
  CAPTURE(first);
  CHECK_THAT(first, Contains("is a standby of 127.0.0.1:" + std::to_string(pair.ss2.port())));
  for (const Node* node : {&ss3, &pair.ss1}) {
    CHECK(node->says("select string_agg(id::text, ',' order by id) from t where id > 10", "12"));
  }
  CHECK_THAT(rejoined(ss3, pair.ss2, "ss3"), Contains("nothing to do"));

  const std::string seen = status(pair.ss2);
  CAPTURE(seen);
  CHECK_THAT(seen, Contains("timeline 2") && Contains("| ss1") && Contains("| ss3"));
  CHECK_THAT(status(pair.ss2, {"--check", "--standbys", "2"}),
             Contains("REPLICATION OK - primary") && Contains("standby 'ss1' is ") &&
                 Contains("standby 'ss3' is ") && Contains("standbys=2"));
  CHECK_THAT(status(ss3, {"--check", "--no-primary"}), Contains("REPLICATION OK - standby"));
}

TEST_CASE("failover: a standby that was not ahead follows without a rewind", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  const Node ss3(Node::Layout::InData, FailoverPair::settings());
  follow(pair.ss1, ss3, "ss3");
  pair.ss1.sql("insert into t values (1)");
  REQUIRE(pair.caught_up());
  pair.ss1.stop();
  CHECK_THAT(promoted(order_for(pair.ss2)), Contains("timeline 2"));
  const std::string said = rejoined(ss3, pair.ss2, "ss3");
  CAPTURE(said);
  CHECK_THAT(said, Contains("nothing is thrown away") && !Contains("pg_rewind"));
  pair.ss2.sql("insert into t values (2)");
  CHECK(ss3.says("select count(*) from t", "2"));
}
