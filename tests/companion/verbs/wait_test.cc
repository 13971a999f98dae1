// SPDX-License-Identifier: MIT
// pause, resume and wait, as an operator runs them, on real servers under real load.
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/companion/verbs/operator.h"
#include "tests/support/catch.h"
#include "tests/support/daemon.h"
#include "tests/support/free_port.h"
#include "tests/support/program.h"
#include "tests/support/silent.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// pgbench's own transactions, four clients at once, until the end of it.
class Load {
 public:
  explicit Load(const Postgres& server) : server_(server) {
    std::vector<std::string> make = words({"-i", "-s", "1", "-q"});
    make.push_back("postgres");
    test::run(make);
    // Its own end is far behind the test's.
    std::vector<std::string> go = words({"-n", "-c", "4", "-T", "600"});
    go.push_back("postgres");
    bench_ = std::make_unique<Child>(go, dir_ / "pgbench");
  }
  // So many transactions more have been committed; false when that takes a minute, or it ended.
  bool goes_on(int more) const {
    const long long now = std::stoll(server_.value(kCount));
    return server_.says("select (" + std::string(kCount) + ") >= " + std::to_string(now + more),
                        "t") &&
           !bench_->ended_within(0ms);
  }
  std::string said() const { return dir_.read("pgbench"); }

 private:
  static constexpr const char* kCount = "select count(*) from pgbench_history";

  std::vector<std::string> words(const std::vector<std::string>& more) const {
    std::vector<std::string> all{postgres_programs() + "/pgbench", "-h", server_.sockets(), "-p",
                                 std::to_string(server_.port()),   "-U", "postgres"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  const Postgres& server_;
  TempDir dir_;
  std::unique_ptr<Child> bench_;
};

}  // namespace

TEST_CASE("replication verbs: pause, resume and wait under writes", "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary({{"max_slot_wal_keep_size = 512MB"}, {}, "", "", ""});
  const auto standby = primary.make_standby();
  const Operator admin;
  REQUIRE(streams(*standby));
  const Load load(primary);

  CHECK_THAT(admin.run(0, primary, {"status"}),
             Contains("primary at ") && Contains("timeline 1, position 0/") &&
                 Contains("application_name") && Contains("| standby1") &&
                 Contains("| streaming |") && Contains("| reserved"));
  CHECK_THAT(admin.run(0, *standby, {"status"}),
             Contains("standby at ") && Contains("primary   " + primary.sockets()) &&
                 Contains(": at 0/") && Contains("receiver  streaming from ") &&
                 Contains("slot standby1") && Contains("replay    not paused"));
  CHECK_THAT(admin.run(0, primary, {"status", "--check", "--warn-lag", "1GB", "--warn-lag", "1h"}),
             Contains("REPLICATION OK - primary, standby 'standby1' is ") &&
                 Contains("standbys=1 worst_lag_bytes="));
  CHECK_THAT(admin.run(0, primary, {"status", "--check", "--warn-lag", "1GB", "--warn-lag", "1h"}),
             Contains("B;1073741824;1073741824;0 ") && Contains("s;3600;3600;0"));
  CHECK_THAT(admin.run(2, primary, {"status", "--check", "--standbys", "2"}),
             Contains("CRITICAL - primary, 1 of 2 standbys"));

  CHECK_THAT(admin.run(0, *standby, {"resume"}), Contains("replay was not paused at 0/"));
  CHECK_THAT(admin.run(0, *standby, {"pause"}),
             Contains("replay is paused at 0/") && Contains("pg_wal of this node grows") &&
                 Contains("and it holds ") &&
                 Contains("slot 'standby1' keeps at most 512MB of WAL at the primary"));
  CHECK(standby->value("select pg_get_wal_replay_pause_state()") == "paused");
  CHECK_THAT(admin.run(0, *standby, {"pause"}), Contains("replay was paused already at 0/"));
  CHECK_THAT(admin.fail(45, *standby, {"wait"}),
             Contains("replay is paused, so this standby cannot"));

  // What arrives is not applied, and says so.
  const std::string stopped = standby->value("select pg_last_wal_replay_lsn()");
  REQUIRE(
      standby->says("select pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn() > 100000", "t"));
  CHECK(standby->value("select pg_last_wal_replay_lsn()") == stopped);
  const auto json =
      nlohmann::json::parse(run_program(admin.line(*standby, {"status", "--json"})).out);
  CHECK(json["replay"] == "paused");
  CHECK(json["replayed_lsn"] == stopped);
  CHECK(json["lag_bytes"] > 100'000);
  CHECK(json["receiver"]["status"] == "streaming");
  CHECK(json["primary"]["position"].is_string());
  CHECK_THAT(admin.run(1, *standby, {"status", "--check", "--warn-lag", "1GB", "--crit-lag", "1h"}),
             Contains("REPLICATION WARNING - standby, replay: paused"));
  CHECK_THAT(admin.run(2, *standby, {"status", "--check", "--crit-lag", "1kB"}),
             Contains("REPLICATION CRITICAL - standby, ") && Contains("behind the primary"));

  CHECK_THAT(admin.run(0, *standby, {"resume"}), Contains("replay goes on at 0/"));
  primary.sql("create table marker as select 42 as answer");
  CHECK_THAT(admin.run(0, *standby, {"wait", "--timeout", "20"}), Contains("replayed up to 0/"));
  CHECK(standby->value("select answer from marker") == "42");

  for (const char* verb : {"pause", "resume", "wait"}) {
    CHECK_THAT(admin.fail(46, primary, {verb}), Contains("standby") || Contains("is a primary"));
  }
}

TEST_CASE("replication verbs: a pause that a query holds up says so, and stands",
          "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  const auto standby = primary.make_standby({"max_standby_streaming_delay = -1"});
  const Operator admin;
  REQUIRE(streams(*standby));
  primary.sql("create table wanted as select 1 as one");
  REQUIRE(standby->says("select count(*) from pg_tables where tablename = 'wanted'", "1"));
  // Replay waits for the lock that a reader has, and looks at nothing else meanwhile.
  Child reader(
      {postgres_programs() + "/psql", "-h", standby->sockets(), "-p",
       std::to_string(standby->port()), "-U", "postgres", "-c", "select pg_sleep(600) from wanted"},
      admin.dir / "reader");
  REQUIRE(standby->says(
      "select count(*) from pg_locks l join pg_class c on c.oid = l.relation where relname = "
      "'wanted' and granted",
      "1"));
  primary.sql("drop table wanted");
  REQUIRE(standby->says(
      "select count(*) from pg_stat_activity where backend_type = 'startup' and wait_event_type = "
      "'Lock'",
      "1"));

  CHECK_THAT(admin.fail(30, *standby, {"pause", "--timeout", "1"}),
             Contains("replay should be 'paused' and is 'pause requested' when the time is over (a "
                      "long query of this standby can hold it up); the request stands"));
  CHECK(standby->value("select pg_get_wal_replay_pause_state()") == "pause requested");
  // And it does stand: nobody asks again.
  standby->sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%wanted%' "
      "and pid <> pg_backend_pid()");
  CHECK(standby->says("select pg_get_wal_replay_pause_state()", "paused"));
}

TEST_CASE("replication verbs: wait does not run after a primary that is written to all the time",
          "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  // Commits are replayed two seconds late: the standby never has what the primary has.
  const auto standby = primary.make_standby();
  const Operator admin;
  REQUIRE(streams(*standby));
  const Load load(primary);
  INFO(load.said());
  REQUIRE(load.goes_on(200));
  standby->sql("alter system set recovery_min_apply_delay = '2s'");
  standby->sql("select pg_reload_conf()");
  REQUIRE(standby->says("show recovery_min_apply_delay", "2s"));
  REQUIRE(load.goes_on(200));

  const auto within = [&](const std::string& words, const std::string& from) {
    const std::size_t at = words.find("replayed up to ");
    REQUIRE(at != std::string::npos);
    const std::string target = words.substr(at + 15, words.find(',', at) - at - 15);
    INFO(from << " " << target);
    CHECK(primary.value("select '" + target + "'::pg_lsn >= '" + from + "'::pg_lsn") == "t");
    // It was the primary's position then, and is behind it by now.
    CHECK(primary.value("select '" + target + "'::pg_lsn < pg_current_wal_flush_lsn()") == "t");
    CHECK(standby->value("select pg_last_wal_replay_lsn() >= '" + target + "'") == "t");
  };
  std::string from = primary.value("select pg_current_wal_flush_lsn()");
  within(admin.run(0, *standby, {"wait", "--timeout", "20"}), from);
  CHECK(load.goes_on(10));

  // And so it is behind a pause, in which much has come in.
  CHECK_THAT(admin.run(0, *standby, {"pause"}), Contains("pg_wal of this node grows"));
  const std::string stopped = standby->value("select pg_last_wal_replay_lsn()");
  const std::string history = standby->value("select count(*) from pgbench_history");
  REQUIRE(load.goes_on(500));
  CHECK(standby->value("select pg_last_wal_replay_lsn()") == stopped);
  CHECK(standby->value("select count(*) from pgbench_history") == history);
  REQUIRE(standby->says("select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()", "t"));
  const std::string written = primary.value("select count(*) from pgbench_history");
  from = primary.value("select pg_current_wal_flush_lsn()");
  CHECK_THAT(admin.run(0, *standby, {"resume"}), Contains("replay goes on at 0/"));
  within(admin.run(0, *standby, {"wait", "--timeout", "20"}), from);
  CHECK(std::stoll(standby->value("select count(*) from pgbench_history")) >= std::stoll(written));
  CHECK(load.goes_on(10));
}

TEST_CASE("replication verbs: wait tells one trouble from another", "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  const auto standby = primary.make_standby({"wal_retrieve_retry_interval = 100ms"});
  const Operator admin;
  REQUIRE(streams(*standby));
  CHECK_THAT(admin.run(0, *standby, {"wait"}), Contains("the position of " + primary.sockets()));

  // The receiver comes back within the patience that there is.
  standby->sql("select pg_terminate_backend(pid) from pg_stat_wal_receiver");
  CHECK_THAT(admin.run(0, *standby, {"wait"}), Contains("replayed up to"));

  // A slot that is not there: the primary answers, and nothing comes.
  standby->sql("alter system set primary_slot_name = 'nosuch'");
  standby->sql("select pg_reload_conf()");
  REQUIRE(
      standby->says("select count(*) from pg_stat_wal_receiver where status = 'streaming'", "0"));
  CHECK_THAT(admin.fail(43, *standby, {"wait", "--patience", "1"}),
             Contains("the receiver does not stream") && Contains("answers: see the log"));
  CHECK(admin.sees_no_receiver(*standby));
  standby->sql("alter system reset primary_slot_name");
  standby->sql("select pg_reload_conf()");
  REQUIRE(streams(*standby));

  // Somebody else's cluster, nobody, a silent port, a standby of the same cluster.
  const Postgres other;
  CHECK_THAT(admin.fail(43, *standby,
                        {"wait", "--primary",
                         "host=" + other.sockets() + " port=" + std::to_string(other.port())}),
             Contains("is the primary of another cluster"));
  CHECK_THAT(
      admin.fail(46, *standby,
                 {"wait", "--primary",
                  "host=" + standby->sockets() + " port=" + std::to_string(standby->port())}),
      Contains("is a standby itself"));
  CHECK_THAT(
      admin.fail(10, *standby, {"wait", "--primary", "127.0.0.1:" + std::to_string(free_port())}),
      Contains("the primary: ") && Contains("Connection refused"));
  const SilentPort silent;
  const std::string hung = "127.0.0.1:" + std::to_string(silent.port());
  CHECK_THAT(admin.fail(35, *standby, {"wait", "--primary", hung, "--timeout", "1"}),
             Contains("the primary: ") && Contains("in time"));
  CHECK_THAT(admin.run(0, *standby, {"status", "--primary", hung, "--timeout", "2"}),
             Contains("primary   no answer: "));
  for (const char* words : {"host=a password=s3cret", "host=a password=s3cret passfile=/none",
                            "host=a sslpassword=s3cret", "postgresql://a?sslpassword=s3cret",
                            "postgresql://u:s3cret@a"}) {
    CHECK_THAT(admin.fail(1, *standby, {"wait", "--primary", words}),
               Contains("must not hold a password"));
  }

  // Gone, and hung.
  primary.freeze();
  CHECK_THAT(admin.fail(35, *standby, {"wait", "--timeout", "2"}), Contains("the primary: "));
  CHECK_THAT(admin.run(0, *standby, {"status", "--timeout", "2"}), Contains("no answer: "));
  primary.thaw();
  primary.stop();
  REQUIRE(standby->says("select count(*) from pg_stat_wal_receiver", "0"));
  CHECK_THAT(admin.fail(10, *standby, {"wait"}), Contains("the primary: "));
  CHECK(admin.sees_no_receiver(*standby));
  // What came is all replayed, and says nothing of what is missing.
  CHECK_THAT(admin.run(2, *standby, {"status", "--check"}), !Contains("lag_bytes="));
  const auto json =
      nlohmann::json::parse(run_program(admin.line(*standby, {"status", "--json"})).out);
  CHECK(json["lag_bytes"].is_null());
  CHECK(json["lag_seconds"].is_null());
  standby->freeze();
  CHECK_THAT(admin.fail(11, *standby, {"wait", "--timeout", "1"}),
             Contains("this node's database"));
  CHECK_THAT(admin.fail(3, *standby, {"status", "--check", "--timeout", "1"}),
             Contains("REPLICATION UNKNOWN - this node's database"));
  standby->thaw();
  standby->stop();
  CHECK_THAT(admin.fail(11, *standby, {"pause"}), Contains("this node's database"));
  CHECK_THAT(admin.fail(11, *standby, {"status"}), Contains("this node's database"));
}

TEST_CASE("replication verbs: trouble in the middle of wait", "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  // Commits are replayed an hour late, so wait has something to wait for.
  const auto standby = primary.make_standby({"recovery_min_apply_delay = 1h"});
  const Operator admin;
  REQUIRE(streams(*standby));
  primary.sql("create table late as select 1");
  CHECK_THAT(admin.fail(30, *standby, {"wait", "--timeout", "1"}),
             Contains("did not catch up in time: replayed 0/") && Contains(" before 0/"));
  const auto begin = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"wait", "--timeout", "60", "--patience", "1"};
    words.insert(words.end(), more.begin(), more.end());
    auto daemon = std::make_unique<Daemon>(admin.line(*standby, words), admin.dir / "log");
    REQUIRE(is_waiting(*standby));
    return daemon;
  };
  SECTION("the primary stops") {
    const auto wait = begin({});
    primary.stop();
    CHECK(wait->wait() == 10);
    CHECK_THAT(wait->log(), Contains("the primary: "));
  }
  SECTION("the primary hangs") {
    const auto wait = begin({});
    primary.freeze();
    CHECK(wait->wait() == 35);
    CHECK_THAT(wait->log(), Contains("the primary: ") && Contains("in time"));
  }
  SECTION("somebody pauses replay") {
    const auto wait = begin({});
    standby->sql("select pg_wal_replay_pause()");
    CHECK(wait->wait() == 45);
  }
  SECTION("this standby is promoted") {
    const auto wait = begin({});
    standby->sql("select pg_promote(true, 30)");
    CHECK(wait->wait() == 46);
    CHECK_THAT(wait->log(), Contains("a primary"));
  }
  SECTION("this standby stops") {
    const auto wait = begin({});
    standby->stop();
    CHECK(wait->wait() == 12);
  }
}
