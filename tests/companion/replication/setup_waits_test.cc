// SPDX-License-Identifier: MIT
// `replication setup primary --profile synchronous`: whom commits wait for afterwards, whatever
// other lines, of a person or of `promote`, said before.
#include <fstream>

#include "base/io.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

std::string names(const Pair& pair) { return pair.primary.value("show synchronous_standby_names"); }

std::string text_of(const std::string& path) { return read_file(path, 1U << 20); }

}  // namespace

TEST_CASE("setup waits: the empty list that promote leaves behind is taken out",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Synchronous);
  pair.primary.start();
  pair.primary.sql("alter system set synchronous_standby_names = ''");
  pair.primary.sql("select pg_reload_conf()");
  pair.setup_primary();
  pair.setup_standby();
  CHECK_THAT(pair.dry_primary(), Contains("SQL alter system reset synchronous_standby_names"));
  CHECK(pair.setup_primary());
  CHECK(names(pair) == "ANY 1 (\"ss2\")");
  CHECK(pair.primary.says("select sync_state from pg_stat_replication", "quorum"));
  CHECK_THAT(text_of(pair.primary.data() + "/postgresql.auto.conf"),
             !Contains("synchronous_standby_names"));
  CHECK_FALSE(pair.setup_primary());
}

TEST_CASE("setup waits: it is not done while another line decides that nothing waits",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Synchronous);
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  pair.primary.append("postgresql.conf", "include 'behind.conf'\n");
  pair.primary.append("behind.conf", "synchronous_standby_names = ''\n");
  give_to_postgres(pair.primary.config() + "/behind.conf");
  pair.primary.sql("select pg_reload_conf()");
  const std::string before = text_of(pair.primary.config() + "/postgresql.conf");
  const auto error = thrown_by([&] { pair.setup_primary(); });
  REQUIRE(error);
  INFO(error->text());
  CHECK(error->fault() == Fault::Refused);
  CHECK_THAT(error->text(), Contains("behind.conf:1") && Contains("take that line out"));
  CHECK(text_of(pair.primary.config() + "/postgresql.conf") == before);
  std::ofstream(pair.primary.config() + "/behind.conf") << "";
  CHECK(pair.setup_primary());
  CHECK(names(pair) == "ANY 1 (\"ss2\")");
}

TEST_CASE("setup waits: a list that waits for less needs its word, and '*' is no name",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Synchronous);
  pair.primary.start();
  const auto hand_made = [&](const std::string& list) {
    std::ofstream(pair.primary.config() + "/by-hand.conf")
        << "synchronous_standby_names = '" << list << "'\n";
    pair.primary.sql("select pg_reload_conf()");
    CHECK(pair.primary.says("show synchronous_standby_names", list));
  };
  const auto refused = [&](const std::string& words) {
    const auto error =
        thrown_by([&] { plan_primary(pair.primary_setup, pair.clock, pair.wall()); });
    REQUIRE(error);
    INFO(error->text());
    CHECK(error->fault() == Fault::Refused);
    CHECK_THAT(error->text(), Contains(words) && !Contains("\n"));
  };
  pair.primary.append("by-hand.conf", "");
  give_to_postgres(pair.primary.config() + "/by-hand.conf");
  pair.primary.append("postgresql.conf", "include 'by-hand.conf'\n");
  hand_made("*");
  refused("a commit waits for 1 standby(s) of any name");
  hand_made("ANY 1 (db2, db3)");
  refused("a commit waits for 1 of these");
  hand_made("db2, db3");
  refused("WRITES STOP when one is gone; say --change-profile");
  // Said so, or all of them are waited for already: one that is not there would stop every write.
  pair.primary_setup.change_profile = true;
  refused("would wait for db2, db3, which does not stream now, so WRITES WOULD STOP");
  pair.primary_setup.change_profile = false;
  hand_made("FIRST 2 (db2, db3)");
  refused("take it out before with --drop db2 --drop db3");

  hand_made("*");
  pair.primary_setup.change_profile = true;
  pair.setup_primary();
  pair.primary_setup.change_profile = false;
  pair.setup_standby();
  CHECK(pair.setup_primary());
  CHECK(names(pair) == "ANY 1 (\"ss2\")");
  pair.primary.sql("create table written (id int)");  // does not hang

  // One that is waited for already stays, and nobody has to find out why nothing is written.
  pair.standby.stop();
  CHECK(pair.primary.says("select count(*) from pg_stat_replication", "0"));
  pair.said.clear();
  CHECK_FALSE(pair.setup_primary());
  CHECK_THAT(pair.said, Contains("WARNING: writes wait for ss2, which does not stream now"));
  CHECK(names(pair) == "ANY 1 (\"ss2\")");
}
