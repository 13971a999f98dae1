// SPDX-License-Identifier: MIT
// The checks of the database, against a real server each.
#include "companion/checks/replication.h"
#include "companion/checks/serverconf_db.h"
#include "companion/db.h"
#include "companion/wall.h"
#include "tests/companion/pki.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/http_peer.h"
#include "tests/support/postgres.h"
#include "tests/support/silent.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr const char* kNotAvailable = "ServerConf is not available";
constexpr const char* kUnexpected = "Server Conf database did not respond as expected";

// db.properties of a node, and the questions about it.
struct Node {
  TempDir dir;
  std::string path = dir / "db.properties";
  SteadyClock clock;

  void use(const std::string& hosts, const std::string& query = "",
           const std::string& password = "s3cret", const std::string& schema = "") {
    const std::string prefix = "serverconf.hibernate.";
    dir.write(
        "db.properties",
        prefix + "connection.url = jdbc:postgresql://" + hosts + "/serverconf" + query + "\n" +
            prefix + "connection.username = serverconf\n" + prefix +
            "connection.password = " + password + "\n" +
            (schema.empty() ? "" : prefix + "hikari.dataSource.currentSchema = " + schema + "\n"));
  }
  Verdict ask(Duration time = 20s) {
    return ServerconfDbCheck({path}).ask(clock, clock.now() + time);
  }
  void failing(const std::string& message, const std::string& reason) {
    const Verdict verdict = ask();
    CHECK_FALSE(verdict.ok);
    CHECK(verdict.message == message);
    CHECK_THAT(verdict.detail, Contains(reason));
    CHECK_THAT(verdict.detail, !Contains("s3cret") && !Contains("wr0ng") && !Contains("\n"));
  }
};

// Where nobody is waited for, replay of the standby goes on.
class Resuming final : public Clock {
 public:
  Resuming(Postgres& standby, std::string until) : standby_(standby), until_(std::move(until)) {}
  Instant now() const override { return real_.now(); }
  int poll(std::span<pollfd> fds, Instant deadline) override {
    if (!fds.empty()) return real_.poll(fds, deadline);
    standby_.sql("select pg_wal_replay_resume()");
    REQUIRE(standby_.says("select pg_last_wal_replay_lsn() >= '" + until_ + "'", "t"));
    return 0;
  }

 private:
  Postgres& standby_;
  std::string until_;
  SteadyClock real_;
};

std::string at(const Postgres& server) { return "127.0.0.1:" + std::to_string(server.port()); }

void make_serverconf(const Postgres& server, const std::string& schema) {
  const std::string at_schema = "set search_path to " + schema + "; ";
  server.sql("create schema if not exists " + schema, "serverconf");
  server.sql(at_schema +
                 "create table identifier (id int, xroadinstance text, memberclass text, "
                 "membercode text); create table client (id int, identifier int); "
                 "create table serverconf (id int, servercode text, owner int)",
             "serverconf");
  server.sql("grant usage on schema " + schema +
                 " to serverconf; grant select on all tables in "
                 "schema " +
                 schema + " to serverconf",
             "serverconf");
}

void name_server(const Postgres& server, const std::string& schema, const std::string& code) {
  server.sql("insert into " + schema +
                 ".identifier values (7, 'DEV', 'COM', '1234'); insert into " + schema +
                 ".client values (3, 7); insert into " + schema + ".serverconf values (1, '" +
                 code + "', 3)",
             "serverconf");
}

void make_database(const Postgres& server) {
  server.sql("create role serverconf login password 's3cret'");
  server.sql("create database serverconf");
}

}  // namespace

TEST_CASE("serverconf db: each state of a real database has its message", "[companion][database]") {
  if (without_postgres()) return;
  Postgres server;
  Node node;
  make_database(server);
  node.use(at(server));

  // From an empty database to one that names its server.
  node.failing(kUnexpected, "42P01: relation \"serverconf\" does not exist");
  make_serverconf(server, "public");
  node.failing(kUnexpected, "names no security server");
  name_server(server, "public", "ss1");
  const Verdict good = node.ask();
  CHECK(good.ok);
  CHECK(good.detail == "DEV/COM/1234/ss1 at " + at(server));

  // The schema of db.properties is the one that is read.
  make_serverconf(server, "other");
  name_server(server, "other", "ss2");
  node.use(at(server), "", "s3cret", "other,public");
  CHECK_THAT(node.ask().detail, Contains("ss2"));
  node.use(at(server), "?currentSchema=public");
  CHECK_THAT(node.ask().detail, Contains("ss1"));

  // Logging in.
  node.use(at(server), "", "wr0ng");
  node.failing(kNotAvailable, "password authentication failed");
  node.use(at(server), "", "");
  node.failing(kNotAvailable, "no password supplied");
  node.use(at(server), "?sslmode=require");
  node.failing(kNotAvailable, "server does not support SSL");
  node.use(at(server), "?user=nobody");
  node.failing(kNotAvailable, "password authentication failed for user \"nobody\"");

  // Several hosts: one that refuses, one that is silent, one that works.
  const SilentPort silent;
  const std::string refusing = "127.0.0.1:" + std::to_string(free_port());
  node.use(refusing + ",127.0.0.1:" + std::to_string(silent.port()) + "," + at(server));
  CHECK(node.ask(6s).ok);
  node.use("127.0.0.1:" + std::to_string(silent.port()) + "," + refusing);
  CHECK(node.ask(4s).message == kNotAvailable);
  node.use(refusing);
  node.failing(kNotAvailable, "Connection refused");
  node.use(at(server), "?targetServerType=secondary");
  node.failing(kNotAvailable, "it is a primary");
  node.use(at(server), "?targetServerType=preferSecondary");
  CHECK(node.ask().ok);

  // A server that is stopped in the middle of its work answers nobody; the deadline holds.
  node.use(at(server));
  server.freeze();
  const Instant begin = node.clock.now();
  const auto error = thrown_by([&] { node.ask(400ms); });
  CHECK(node.clock.now() - begin < 10s);
  REQUIRE(error);
  CHECK(error->fault() == Fault::Timeout);
  CHECK_THAT(error->text(), Contains(at(server)) && !Contains("s3cret"));
  server.thaw();
  CHECK(node.ask().ok);

  server.stop();
  node.failing(kNotAvailable, "Connection refused");
  server.start();
  CHECK(node.ask().ok);
  CHECK_THAT(server.log(), !Contains("s3cret"));
}

TEST_CASE("serverconf db: a db.properties that cannot be used is not available", "[companion]") {
  Node node;
  node.failing(kNotAvailable, "db.properties': No such file");
  node.dir.write("db.properties", "a = b\n");
  node.failing(kNotAvailable, "there is no serverconf.hibernate.connection.url");
  node.use("h:x");
  node.failing(kNotAvailable, "has a port that is none");
}

TEST_CASE("db: a question that takes too long ends here and at the server",
          "[companion][database]") {
  if (without_postgres()) return;
  Postgres server;
  SteadyClock clock;
  DbTarget target;
  target.hosts = {{server.sockets(), server.port()}};
  target.database = target.user = "postgres";
  Db db(target, clock, clock.now() + 10s, 3s);
  CHECK(db.ask("select $1::text, null", {"a"}, clock.now() + 5s) ==
        std::vector<DbRow>{{"a", std::nullopt}});
  CHECK(db.server_version() >= 100'000);
  CHECK_THAT(thrown_by([&] { db.ask("selec 1", {}, clock.now() + 5s); })->text(),
             Contains("42601: syntax error"));
  CHECK_THAT(thrown_by([&] { db.ask("select pg_sleep(60)", {}, clock.now() + 10s); })->text(),
             Contains("57014"));
  const Instant begin = clock.now();
  const auto late = thrown_by([&] { db.ask("select pg_sleep(60)", {}, clock.now() + 100ms); });
  REQUIRE(late);
  CHECK(late->fault() == Fault::Timeout);
  CHECK(clock.now() - begin < 2500ms);
  CHECK(
      server.says("select count(*) from pg_stat_activity where state = 'active' and "
                  "query = 'select pg_sleep(60)'",
                  "0"));
}

TEST_CASE("serverconf db: TLS is checked as the URL asks for it", "[companion][database]") {
  if (without_postgres()) return;
  const std::int64_t now = wall_now();
  const Identity ca = make_identity({"Database CA", now - 60, now + 86'400, true});
  const Identity other = make_identity({"Other CA", now - 60, now + 86'400, true});
  const Identity host = make_identity({"127.0.0.1", now - 60, now + 86'400}, &ca);
  PostgresOptions options;
  options.certificate = host.pem();
  options.key = host.key_pem();
  options.hba = {"hostnossl all all 0.0.0.0/0 reject"};
  Postgres server(options);
  make_database(server);
  make_serverconf(server, "public");
  name_server(server, "public", "ss1");
  Node node;
  const std::string good = "&sslrootcert=" + node.dir.write("ca.crt", ca.pem());
  const std::string bad = "&sslrootcert=" + node.dir.write("other.crt", other.pem());
  node.use(at(server), "?sslmode=verify-full" + good);
  CHECK(node.ask().ok);
  node.use(at(server), "?ssl=true" + good);
  CHECK(node.ask().ok);
  node.use(at(server), "?sslmode=require");
  CHECK(node.ask().ok);
  node.use(at(server), "?sslmode=verify-ca" + bad);
  node.failing(kNotAvailable, "certificate verify failed");
  node.use(at(server), "?sslmode=disable");
  node.failing(kNotAvailable, "rejects connection");
}

TEST_CASE("replication: a real standby streams, pauses, lags and loses its primary",
          "[companion][database]") {
  if (without_postgres()) return;
  Postgres primary;
  make_database(primary);
  const auto standby = primary.make_standby();
  Node node;
  node.use(at(*standby));
  ReplicationSettings settings;
  settings.db_properties = node.path;
  settings.max_lag_bytes = 64U << 10;
  const auto ask = [&] {
    return ReplicationCheck(settings).ask(node.clock, node.clock.now() + 20s);
  };
  REQUIRE(standby->says("select status from pg_stat_wal_receiver", "streaming"));

  CHECK_THAT(ask().detail, Contains("GRANT pg_monitor TO"));
  primary.sql("grant pg_monitor to serverconf");
  const std::string where = primary.value("select pg_current_wal_flush_lsn()");
  REQUIRE(standby->says("select pg_last_wal_replay_lsn() >= '" + where + "'", "t"));
  const Verdict good = ask();
  CAPTURE(good.detail);
  CHECK(good.ok);
  CHECK_THAT(good.detail, Contains("streaming, "));
  CHECK(good.facts == std::vector<Fact>{{"replay", "not paused"}});

  // Paused: what arrives is kept and not applied.
  standby->sql("select pg_wal_replay_pause()");
  REQUIRE(standby->says("select pg_get_wal_replay_pause_state()", "paused"));
  CHECK(ask().ok);
  settings.fail_when_paused = true;
  CHECK(ask().message == "Database replication is paused");
  settings.fail_when_paused = false;
  primary.sql("create table filler as select repeat('x', 100) from generate_series(1, 20000)");
  const std::string end = primary.value("select pg_current_wal_flush_lsn()");
  REQUIRE(standby->says("select pg_last_wal_receive_lsn() >= '" + end + "'", "t"));
  const Verdict behind = ask();
  CHECK(behind.message == "Database replication lags behind");
  CHECK_THAT(behind.detail, Contains("behind the primary, replay: paused"));
  CHECK(behind.measured.at(0).value > 1e6);
  standby->sql("select pg_wal_replay_resume()");
  REQUIRE(standby->says("select pg_last_wal_replay_lsn() >= '" + end + "'", "t"));
  CHECK(ask().ok);

  // Work after a rest: the first look finds an old transaction and new bytes, a later one neither.
  settings.max_lag = 0s;
  settings.max_lag_bytes = 16U << 20;
  standby->sql("select pg_wal_replay_pause()");
  REQUIRE(standby->says("select pg_get_wal_replay_pause_state()", "paused"));
  primary.sql("create table after_a_rest (id int)");
  const std::string more = primary.value("select pg_current_wal_flush_lsn()");
  REQUIRE(standby->says("select pg_last_wal_receive_lsn() >= '" + more + "'", "t"));
  REQUIRE(standby->says(
      "select clock_timestamp() - pg_last_xact_replay_timestamp() > interval '1 s'", "t"));
  CHECK(ask().message == "Database replication lags behind");
  Resuming resuming(*standby, more);
  const Verdict moving = ReplicationCheck(settings).ask(resuming, resuming.now() + 20s);
  CAPTURE(moving.detail);
  CHECK(moving.ok);
  settings.max_lag = 60s;

  // The primary itself, and a standby without it.
  node.use(at(primary));
  CHECK_THAT(ask().detail, Contains("this database is a primary, and this node"));
  settings.standby_expected = false;
  CHECK(ask().ok);
  node.use(at(*standby));
  primary.stop();
  REQUIRE(standby->says("select count(*) from pg_stat_wal_receiver", "0"));
  CHECK(ask().message == "Database replication is not working");
  CHECK_THAT(ask().detail, Contains("no receiver runs"));
  // Nobody knows how far it is behind, and a graph must not say 0.
  CHECK(ask().measured.empty());
}

TEST_CASE("replication: an idle standby that is caught up has no lag in seconds", "[companion]") {
  ReplicationState state;
  state.in_recovery = state.receiver = true;
  state.receiver_word = "streaming";
  state.received = state.replayed = state.primary_end = 5'000;
  state.replayed_ago = 86'400;
  state.message_ago = 10;
  state.pause = "not paused";
  const ReplicationSettings settings;
  CHECK(judge_replication(state, settings).ok);
  CHECK(judge_replication(state, settings).detail ==
        "streaming, 0 bytes and 0 s behind the primary");
  SECTION("a byte behind, and the seconds count") {
    state.primary_end = 5'001;
    CHECK(judge_replication(state, settings).message == "Database replication lags behind");
    CHECK(only_seconds_fail(state, settings));
    state.moves = true;  // replay has come to where the log ended a moment ago
    CHECK(judge_replication(state, settings).ok);
    state.moves = false;
    state.replayed_ago = 60;
    CHECK(judge_replication(state, settings).ok);
    state.replayed_ago = 86'400;
    state.primary_end = 5'000 + settings.max_lag_bytes + 1;
    CHECK_FALSE(only_seconds_fail(state, settings));
  }
  SECTION("behind by bytes alone") {
    state.replayed_ago = 0;
    state.received = 5'000 + settings.max_lag_bytes;
    CHECK(judge_replication(state, settings).ok);
    state.received = *state.received + 1;
    CHECK_FALSE(judge_replication(state, settings).ok);
  }
  CHECK(state.lag_is_known(settings));
  SECTION("a primary that is silent") {
    state.message_ago = 91;
    CHECK_FALSE(state.lag_is_known(settings));
    CHECK_THAT(judge_replication(state, settings).detail, Contains("silent for 91 s"));
  }
  SECTION("a receiver that waits") {
    state.receiver_word = "waiting";
    CHECK_THAT(judge_replication(state, settings).detail, Contains("not streaming but 'waiting'"));
  }
  SECTION("nothing told") {
    state.replayed.reset();
    CHECK_THAT(judge_replication(state, settings).detail, Contains("does not tell how far"));
  }
}
