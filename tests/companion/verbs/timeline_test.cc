// SPDX-License-Identifier: MIT
// Three real servers, more than one of which may write: whom a standby follows, and whose word
// counts.
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/companion/verbs/operator.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

std::string at(const Postgres& server) {
  return "host=" + server.sockets() + " port=" + std::to_string(server.port()) + " user=postgres";
}

void follow(const Postgres& standby, const Postgres& primary) {
  standby.sql("alter system set primary_conninfo = '" + at(primary) + "'");
  standby.sql("alter system reset primary_slot_name");
  standby.sql("select pg_reload_conf()");
  REQUIRE(standby.says("select sender_port from pg_stat_wal_receiver where status = 'streaming'",
                       std::to_string(primary.port())));
}

// Somebody whose query takes long.
class Reader {
 public:
  Reader(const Postgres& server, const std::string& table)
      : server_(server),
        table_(table),
        child_({postgres_programs() + "/psql", "-h", server.sockets(), "-p",
                std::to_string(server.port()), "-U", "postgres", "-c",
                "select pg_sleep(600) from " + table},
               server.dir() / ("reader_of_" + table)) {
    REQUIRE(server.says(locks("granted"), "t"));
  }
  bool holds_replay() const {
    return server_.says(locks("not granted and mode = 'AccessExclusiveLock'"), "t");
  }
  void end() {
    server_.sql("select pg_terminate_backend(pid) from pg_stat_activity where query like '%from " +
                table_ + "' and pid <> pg_backend_pid()");
    REQUIRE(child_.ended_within(20s));
  }

 private:
  std::string locks(const std::string& which) const {
    return "select count(*) > 0 from pg_locks l join pg_class c on c.oid = l.relation where "
           "relname = '" +
           table_ + "' and " + which;
  }

  const Postgres& server_;
  std::string table_;
  Child child_;
};

}  // namespace

TEST_CASE("replication verbs: the word of a standby is not the primary's",
          "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  const auto ss2 = primary.make_standby({"wal_retrieve_retry_interval = 100ms"});
  const auto ss3 = primary.make_standby({"wal_retrieve_retry_interval = 100ms"});
  const Operator admin;
  follow(*ss3, *ss2);
  const std::vector<std::string> roomy{"status", "--check",    "--warn-lag",
                                       "1GB",    "--warn-lag", "1h"};
  const auto asking = [&](const Postgres& server) {
    std::vector<std::string> words = roomy;
    words.insert(words.end(), {"--primary", at(server)});
    return words;
  };
  CHECK_THAT(admin.run(0, *ss3, asking(primary)), Contains("behind the primary"));

  // The one between is cut off: this one streams, and has all that it can get.
  ss2->sql("alter system set primary_conninfo = ''");
  ss2->sql("select pg_reload_conf()");
  REQUIRE(ss2->says("select count(*) from pg_stat_wal_receiver", "0"));
  primary.sql("create table unseen as select 1");
  CHECK_THAT(admin.run(3, *ss3, roomy),
             Contains("REPLICATION UNKNOWN - standby, how far behind the primary is not known: ") &&
                 Contains(" is a standby itself; say with --primary") && !Contains("lag_bytes="));
  const auto json = nlohmann::json::parse(run_program(admin.line(*ss3, {"status", "--json"})).out);
  CHECK(json["lag_bytes"].is_null());
  CHECK(json["primary"]["standby"] == true);
  CHECK_THAT(admin.run(0, *ss3, {"status"}), Contains(", timeline 1, a standby itself"));
  CHECK_THAT(
      admin.run(2, *ss3, {"status", "--check", "--crit-lag", "1B", "--primary", at(primary)}),
      Contains("behind the primary") && Contains("lag_bytes="));
}

TEST_CASE("replication verbs: wait is not deceived by a second primary",
          "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  const auto ss2 = primary.make_standby({"wal_retrieve_retry_interval = 100ms"});
  const auto ss3 = primary.make_standby({"wal_retrieve_retry_interval = 100ms"});
  const Operator admin;
  REQUIRE(streams(*ss2));
  REQUIRE(streams(*ss3));
  ss2->sql("select pg_promote(true, 30)");
  const std::vector<std::string> wait{"wait", "--patience", "1", "--primary", at(*ss2)};
  SECTION("that has less than this standby") {
    primary.sql("create table theirs as select generate_series(1, 10000)");
    REQUIRE(ss3->says("select count(*) from pg_tables where tablename = 'theirs'", "1"));
  }
  SECTION("that nobody writes to") {}
  SECTION("that has more") { ss2->sql("create table ours as select generate_series(1, 10000)"); }
  CHECK_THAT(admin.fail(43, *ss3, wait),
             Contains("this standby follows another primary: it receives timeline 1 from ") &&
                 Contains(":" + std::to_string(primary.port()) + ", and ") &&
                 Contains(":" + std::to_string(ss2->port()) + " is the primary of timeline 2"));
  CHECK_THAT(admin.run(2, *ss3, {"status", "--check", "--primary", at(*ss2)}),
             Contains("REPLICATION CRITICAL - standby, this standby follows another primary") &&
                 !Contains("lag_bytes="));
  CHECK_THAT(admin.run(0, *ss3, {"wait"}), Contains("replayed up to 0/"));
}

TEST_CASE("replication verbs: wait follows a standby to a new timeline",
          "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  const auto ss2 = primary.make_standby({"wal_retrieve_retry_interval = 100ms"});
  const auto ss3 = primary.make_standby(
      {"wal_retrieve_retry_interval = 100ms", "max_standby_streaming_delay = -1"});
  const Operator admin;
  follow(*ss3, *ss2);
  SECTION("right after a promotion") {
    primary.stop();
    ss2->sql("select pg_promote(true, 30)");
    ss2->sql("create table later as select 42 as answer");
    CHECK_THAT(admin.run(0, *ss3, {"wait", "--primary", at(*ss2), "--timeout", "20"}),
               Contains("replayed up to 0/"));
    CHECK(ss3->value("select answer from later") == "42");
  }
  SECTION("of a primary that is promoted in the middle") {
    // Replay stands where a table is dropped that somebody reads, once on each timeline.
    primary.sql("create table first as select 1");
    primary.sql("create table second as select 1");
    REQUIRE(ss3->says("select count(*) from pg_tables where tablename = 'second'", "1"));
    const auto first = std::make_unique<Reader>(*ss3, "first");
    const auto second = std::make_unique<Reader>(*ss3, "second");
    primary.sql("drop table first");
    REQUIRE(first->holds_replay());
    // Whichever of the two answers.
    const std::string both = "host=" + primary.sockets() + "," + ss2->sockets() +
                             " port=" + std::to_string(primary.port()) + "," +
                             std::to_string(ss2->port()) + " user=postgres";
    Child wait(
        admin.line(*ss3, {"wait", "--primary", both, "--timeout", "120", "--patience", "60"}),
        admin.dir / "said");
    REQUIRE(is_waiting(*ss3));
    primary.stop();
    ss2->sql("select pg_promote(true, 30)");
    ss2->sql("drop table second");
    ss2->sql("create table later as select 42 as answer");
    first->end();
    REQUIRE(ss3->says("select received_tli from pg_stat_wal_receiver", "2"));
    REQUIRE(second->holds_replay());
    // It has what the one before had, which is not asked any more.
    CHECK_FALSE(wait.ended_within(1s));
    second->end();
    INFO(admin.dir.read("said"));
    REQUIRE(wait.ended_within(60s));
    CHECK(wait.status() == 0);
    CHECK(ss3->value("select answer from later") == "42");
  }
}
