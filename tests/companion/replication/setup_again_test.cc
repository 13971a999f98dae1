// SPDX-License-Identifier: MIT
// `replication setup primary` run again with other words: what is in place stays, and no safety
// goes without its word.
#include <filesystem>

#include "base/io.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

void refused(Pair& pair, const std::string& words) {
  INFO(words);
  const auto error = thrown_by([&] { plan_primary(pair.primary_setup, pair.clock, pair.wall()); });
  REQUIRE(error);
  INFO(error->text());
  CHECK(error->fault() == Fault::Refused);
  CHECK_THAT(error->text(), Contains(words) && !Contains("\n"));
}

// The command line of recovery.md: `setup primary --standby NAME`, and no other word.
void say_only(Pair& pair, std::vector<NodeSpec> standbys) {
  pair.primary_setup.standbys = std::move(standbys);
  pair.primary_setup.unsaid = {true, true, true, true, true, true, true};
  pair.primary_setup.plan = {};
}

std::string names(const Pair& pair) { return pair.primary.value("show synchronous_standby_names"); }

std::string hba(const Pair& pair) {
  return read_file(pair.primary.config() + "/pg_hba.conf", 1U << 20);
}

}  // namespace

TEST_CASE("setup again: every standby goes on to be waited for, and all of them hold a commit",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Synchronous);
  pair.primary_setup.plan.allow = {"127.0.0.0/8", "::1/128"};
  pair.primary_setup.plan.wal_limit = "1GB";
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  CHECK(pair.setup_primary());
  CHECK(names(pair) == "ANY 1 (\"ss2\")");

  // Another one comes, and nothing but its name is said.
  const std::string before = hba(pair);
  say_only(pair, {{"ss3", {"localhost"}}});
  CHECK(pair.setup_primary());
  INFO(pair.said);
  CHECK(names(pair) == "ANY 1 (\"ss2\")");
  CHECK(hba(pair) == before);
  CHECK(pair.primary.value("show max_slot_wal_keep_size") == "1GB");
  CHECK(pair.primary.value("show listen_addresses") == "127.0.0.1");
  CHECK(pair.primary.value("select count(*) from pg_authid where rolname in ('ss2', 'ss3') and "
                           "rolpassword like 'SCRAM%'") == "2");
  const Node third(Node::Layout::Apart);
  pair.standby_setup.cluster = third.choice();
  pair.standby_setup.roots = nowhere(third.dir());
  pair.standby_setup.pki = third.dir() / "pki";
  pair.standby_setup.bundle = read_bundle(pair.primary.dir() / "pki/bundles/ss3");
  plan_standby(pair.standby_setup, pair.clock, pair.wall()).run(pair.say());
  CHECK(pair.setup_primary());
  CHECK(names(pair) == "ANY 2 (\"ss2\", \"ss3\")");
  pair.primary.sql("create table rows (word text)");  // both are there: no waiting

  // Not before it is said does a commit go without one of them.
  third.stop();
  CHECK(pair.primary.says("select count(*) from pg_stat_replication", "1"));
  CHECK_FALSE(pair.setup_primary());
  say_only(pair, {});
  pair.primary_setup.drop = {"ss3"};
  CHECK(pair.setup_primary());
  CHECK(names(pair) == "ANY 1 (\"ss2\")");
  pair.primary.sql("insert into rows values ('x')");
  CHECK_FALSE(pair.setup_primary());
}

TEST_CASE("setup again: another profile, login or group needs its word",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::CentralServer);
  pair.primary.start();
  pair.setup_primary();
  const std::string verifier =
      pair.primary.value("select rolpassword from pg_authid where rolname = 'ss2'");
  say_only(pair, {{"ss2", {"localhost"}}});
  CHECK_FALSE(pair.setup_primary());
  pair.primary_setup.unsaid.profile = false;
  pair.primary_setup.plan.profile = Profile::Xroad;
  refused(pair,
          "is set up with --profile central-server --login password, not --profile xroad "
          "--login certificate; say --change-profile");
  pair.primary_setup.unsaid.profile = true;
  pair.primary_setup.unsaid.group = false;
  pair.primary_setup.plan.group = "others";
  refused(pair, "in the group 'slavenode', not 'others'");
  pair.primary_setup.unsaid.group = true;
  pair.primary.sql("create role \"ss-4\" login replication in role slavenode");
  pair.primary_setup.unsaid.profile = true;
  pair.primary_setup.standbys = {{"ss.4", {}}};
  const auto shared = thrown_by([&] { plan_primary(pair.primary_setup, pair.clock, pair.wall()); });
  REQUIRE(shared);
  CHECK_THAT(shared->text(), Contains("'ss.4' and 'ss-4' would share the slot 'ss_4'"));
  pair.primary_setup.standbys = {{"ss2", {"localhost"}}};
  pair.primary_setup.unsaid.group = true;
  pair.primary_setup.plan.group = "slavenode";
  CHECK(pair.primary.value("select rolpassword from pg_authid where rolname = 'ss2'") == verifier);

  pair.primary_setup.unsaid.profile = false;
  pair.primary_setup.change_profile = true;
  CHECK(pair.setup_primary());
  CHECK(pair.primary.value("select rolpassword is null from pg_authid where rolname = 'ss2'") ==
        "t");
  CHECK_THAT(hba(pair), Contains("+slavenode samenet cert"));

  // Names that somebody else's lines have.
  Pair other(Profile::Xroad);
  other.primary.append("postgresql.conf", "synchronous_standby_names = 'theirs'\n");
  other.primary.start();
  refused(other, "commits wait for theirs here");
}

TEST_CASE("setup again: whoever is connected is let in again", "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.append("pg_hba.conf", "hostssl replication +slavenode 192.0.2.0/24 cert\n");
  pair.primary.start();
  pair.setup_primary();
  CHECK_THAT(pair.said, Contains("count no more") &&
                            Contains("\n  hostssl replication +slavenode 192.0.2.0/24 cert\n"));
  pair.setup_standby();
  CHECK(pair.row_arrives("one"));
  CHECK_FALSE(pair.setup_primary());  // samenet
  pair.primary_setup.plan.allow = {"192.0.2.0/24"};
  refused(pair, "ss2 from ");
  pair.primary_setup.plan.allow = {"192.0.2.0/24", "127.0.0.1/32", "::1/128"};
  CHECK(pair.setup_primary());
  CHECK(pair.row_arrives("two"));
}

TEST_CASE("setup again: a renewed certificate is the one that is served",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  CHECK(pair.row_arrives("one"));
  const auto loaded = [](const Node& node) { return node.value("select pg_conf_load_time()"); };
  const auto started = [](const Node& node) {
    return node.value("select pg_postmaster_start_time()");
  };
  const auto away = [&](const std::string& directory) {
    for (const char* name : {"/server.crt", "/server.key"}) {
      std::filesystem::rename(directory + name, directory + name + ".old");
    }
  };
  const std::string primary = loaded(pair.primary), standby = loaded(pair.standby);
  const std::string since = started(pair.standby);
  away(pair.primary.dir() / "pki");
  away(pair.primary.dir() / "pki/bundles/ss2");
  CHECK(pair.setup_primary());
  CHECK(loaded(pair.primary) != primary);
  CHECK(pair.setup_standby());
  CHECK(pair.standby.says("select pg_conf_load_time() <> '" + standby + "'", "t"));
  CHECK(started(pair.standby) == since);
  CHECK_FALSE(pair.setup_primary());
  CHECK_FALSE(pair.setup_standby());
  CHECK(pair.row_arrives("two"));
}
