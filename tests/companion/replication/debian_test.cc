// SPDX-License-Identifier: MIT
// `setup`, `promote` and `rejoin` on clusters that Debian's own programs have made, and through
// them: pg_ctlcluster starts, restarts, reloads and stops.
#include "companion/replication/promote.h"
#include "companion/replication/rejoin.h"
#include "companion/wall.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// As Debian sees it: "online", "online,recovery", "down".
std::string status_of(const Node& node) {
  const std::string line = run({"/usr/bin/env", "PG_CLUSTER_CONF_ROOT=" + (node.dir() / "etc"),
                                "/usr/bin/pg_lsclusters", "-h"});
  for (const char* word : {"online,recovery", "online", "down"}) {
    if (line.find(std::string(" ") + word + " ") != std::string::npos) return word;
  }
  return line;
}

}  // namespace

TEST_CASE("debian: set up, promoted and taken back through pg_ctlcluster",
          "[replication][database]") {
  if (without_postgres()) return;
  if (const auto why = Node::no_debian()) {
    WARN(*why);
    return;
  }
  Pair pair(Profile::Xroad, Node::Layout::Debian, Node::Layout::Debian);
  const Cluster cluster = pair.primary.cluster();
  REQUIRE(cluster.starter == Starter::PgCtlCluster);
  CHECK(cluster.data == pair.primary.data());
  CHECK(cluster.config == pair.primary.config());
  for (const Node* node : {&pair.primary, &pair.standby}) {
    node->append("postgresql.conf", "full_page_writes = on\n");  // pg_rewind asks for it
  }
  CHECK(status_of(pair.primary) == "down");
  pair.primary.start();
  pair.standby.start();
  CHECK(status_of(pair.primary) == "online");
  const std::string begun = pair.primary.value("select pg_postmaster_start_time()");
  CHECK_THAT(pair.dry_primary(), Contains("/usr/bin/pg_ctlcluster ") && Contains(" reload\n"));
  CHECK(pair.setup_primary());
  CHECK(pair.primary.value("select pg_postmaster_start_time()") != begun);  // restarted, for TLS
  CHECK(pair.setup_standby());
  CHECK(status_of(pair.standby) == "online,recovery");
  CHECK(pair.row_arrives("one"));
  CHECK_FALSE(pair.setup_primary());
  CHECK_FALSE(pair.setup_standby());

  kill_server(pair.primary);
  PromoteOrder order;
  order.cluster = pair.standby.choice();
  order.roots = pair.standby.roots();
  promote(order, pair.clock, pair.say());
  INFO(pair.said);
  CHECK_THAT(pair.said, Contains("This node is the primary now: timeline 2"));
  CHECK(status_of(pair.standby) == "online");

  PrimarySetup open = pair.primary_setup;
  open.cluster = pair.standby.choice();
  open.roots = pair.standby.roots();
  open.name = "ss2";
  open.hosts = {"localhost"};
  open.standbys = {{"ss1", {"localhost"}}};
  open.pki = pair.standby.dir() / "pki";
  open.given = {open.pki + "/ca.crt", open.pki + "/server.crt", open.pki + "/server.key"};
  plan_primary(open, pair.clock, pair.wall()).run(pair.say());
  RejoinOrder back;
  back.cluster = pair.primary.choice();
  back.roots = pair.primary.roots();
  back.primary = "host=localhost port=" + std::to_string(pair.standby.port());
  back.stream_limit = 60s;
  rejoin(back, pair.clock, &wall_now, pair.say());
  CHECK(status_of(pair.primary) == "online,recovery");
  pair.standby.sql("insert into rows values ('two')");
  CHECK(pair.primary.says("select string_agg(word, ',' order by word) from rows", "one,two"));
}
