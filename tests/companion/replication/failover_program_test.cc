// SPDX-License-Identifier: MIT
// `xroad-companion replication promote` and `rejoin` as an operator runs them, on two nodes that
// `setup` has made: certificates, verify-full, and there and back again.
#include "base/io.h"
#include "tests/companion/replication/at_node.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

TEST_CASE("failover: with certificates, from the set-up over a killed primary and back",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad, Node::Layout::InData, Node::Layout::Apart);
  for (const Node* node : {&pair.primary, &pair.standby}) {
    node->append("postgresql.conf", "full_page_writes = on\n");
  }
  pair.primary.start();
  REQUIRE(pair.setup_primary());
  REQUIRE(pair.setup_standby());
  REQUIRE(pair.row_arrives("one"));

  const Outcome alive = change_at(pair.standby, {"promote"});
  CHECK_THAT(alive.end, Contains("answers and takes writes") && Contains("status 25"));
  CHECK_THAT(alive.end, Contains("Nothing has been changed"));
  const Outcome help = change_at(pair.standby, {"promote", "--help"});
  CHECK_THAT(help.out, Contains("switched off, or cut off from every client"));
  if (::geteuid() == 0) {
    const Outcome other =
        change_at(pair.standby, {"promote"},
                  {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"});
    CHECK_THAT(other.end, Contains("status 1") || Contains("status 11"));
  }

  pair.standby.stop();
  pair.primary.sql("insert into rows values ('only here')");
  kill_server(pair.primary);
  pair.standby.start();
  const Outcome promoted = change_at(pair.standby, {"promote"});
  CAPTURE(promoted.out);
  CHECK(promoted.end == kCleanEnd);
  CHECK_THAT(promoted.out, Contains("This node is the primary now: timeline 2"));
  CHECK_THAT(change_at(pair.standby, {"promote"}).out, Contains("nothing to do"));

  const std::string primary = "host=localhost port=" + std::to_string(pair.standby.port());
  for (const char* secret : {" password=x", " sslpassword=x"}) {
    CHECK_THAT(change_at(pair.primary, {"rejoin", "--primary", primary + secret}).end,
               Contains("must not hold a password") && Contains("status 1"));
  }
  // Nobody has told the new one of this node.
  CHECK_THAT(change_at(pair.primary, {"rejoin", "--primary", primary}).end,
             Contains("setup primary --standby ss1") && Contains("status 42"));
  const std::string pki = pair.standby.dir() / "pki";
  const auto open = [&] {
    return change_at(pair.standby, {"setup", "primary", "--name", "ss2", "--host", "localhost",
                                    "--standby", "ss1=localhost", "--listen", "127.0.0.1", "--pki",
                                    pki, "--ca", pki + "/ca.crt", "--cert", pki + "/server.crt",
                                    "--key", pki + "/server.key"});
  };
  const Outcome opened = open();
  CAPTURE(opened.out);
  REQUIRE(opened.end == kCleanEnd);
  pair.standby.sql("revoke execute on function pg_ls_dir(text, boolean, boolean) from slavenode");
  const Outcome refused = change_at(pair.primary, {"rejoin", "--primary", primary});
  CHECK_THAT(refused.end, Contains("GRANT EXECUTE ON FUNCTION") && Contains("status 25"));
  CHECK_THAT(refused.end, Contains("Nothing has been changed"));
  REQUIRE(open().end == kCleanEnd);

  CHECK_THAT(change_at(pair.primary, {"rejoin", "--primary", primary}).end,
             Contains("say --discard 1. Nothing has been changed") && Contains("status 25"));
  const Outcome back = change_at(pair.primary, {"rejoin", "--primary", primary, "--discard", "1"});
  CAPTURE(back.out);
  REQUIRE(back.end == kCleanEnd);
  CHECK_THAT(back.out, Contains("1 transaction(s) that were committed here"));
  CHECK_THAT(back.out, Contains("is a standby of localhost:"));
  CHECK_THAT(pair.primary.value("show primary_conninfo"),
             Contains("user=ss1") && Contains("sslmode=verify-full"));
  pair.standby.sql("insert into rows values ('two')");
  CHECK(pair.primary.says("select string_agg(word, ',' order by word) from rows", "one,two"));
  CHECK(
      pair.standby.says("select client_dn like '%CN=ss1%' from pg_stat_ssl join "
                        "pg_stat_replication using (pid) where state = 'streaming'",
                        "t"));

  // And back to where it began.
  pair.standby.stop();
  const Outcome home = change_at(pair.primary, {"promote"});
  CAPTURE(home.out);
  CHECK(home.end == kCleanEnd);
  CHECK_THAT(home.out, Contains("timeline 3"));
  pair.primary.sql("insert into rows values ('three')");
}
