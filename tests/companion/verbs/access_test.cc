// SPDX-License-Identifier: MIT
// Who may run the verbs, by which login, and a slot that has lost its WAL.
#include <algorithm>

#include "companion/wall.h"
#include "tests/companion/pki.h"
#include "tests/companion/verbs/operator.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

TEST_CASE("replication verbs: WAL beyond the slot's limit is lost, and said",
          "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary({{"max_slot_wal_keep_size = 16MB", "min_wal_size = 32MB", "max_wal_size = 32MB"},
                    {},
                    "",
                    "",
                    ""});
  const auto standby = primary.make_standby({"wal_retrieve_retry_interval = 100ms"});
  const Operator admin;
  REQUIRE(streams(*standby));
  standby->sql("select pg_create_physical_replication_slot('left_over', true)");
  CHECK_THAT(admin.run(1, *standby, {"status", "--check"}),
             Contains("REPLICATION WARNING - standby, slot 'left_over' is not in use and keeps ") &&
                 Contains("select pg_drop_replication_slot('left_over')"));
  standby->sql("select pg_drop_replication_slot('left_over')");
  standby->stop();
  REQUIRE(primary.says("select active from pg_replication_slots", "f"));
  CHECK_THAT(admin.run(1, primary, {"status", "--check"}),
             Contains("slot 'standby1' is not in use and keeps "));
  for (int i = 0; i < 5; ++i) {
    primary.sql("create table filler" + std::to_string(i) + " ()");
    primary.sql("select pg_switch_wal()");
  }
  primary.sql("checkpoint");
  CHECK_THAT(
      admin.run(2, primary, {"status", "--check"}),
      Contains("slot 'standby1' has lost WAL that its standby needs: set the standby up anew"));
  CHECK_THAT(admin.run(0, primary, {"status"}), Contains("| lost"));
  standby->start();
  CHECK_THAT(admin.fail(43, *standby, {"wait", "--patience", "1"}), Contains("does not stream"));
  CHECK(admin.sees_no_receiver(*standby));
}

TEST_CASE("replication verbs: a monitor's role has the rights it needs and no more",
          "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  primary.sql("create role weak login password 's3cret'");
  primary.sql("create role monitor login password 's3cret' in role pg_monitor");
  primary.sql("grant execute on function pg_wal_replay_pause(), pg_wal_replay_resume() to monitor");
  const auto standby = primary.make_standby();
  const Operator admin;
  REQUIRE(streams(*standby));
  const std::string passfile =
      admin.dir.write("pgpass", "*:*:*:monitor:s3cret\n*:*:*:weak:s3cret\n*:*:*:postgres:wr0ng\n");
  const auto as = [&](const std::string& user, std::vector<std::string> words) {
    // After the socket's: the last one counts.
    for (const char* word : {"--passfile", passfile.c_str(), "--user", user.c_str()}) {
      words.emplace_back(word);
    }
    return words;
  };
  // Over TCP a password is asked for.
  const auto run = [&](int code, const Postgres& server, std::vector<std::string> words) {
    std::vector<std::string> line = admin.line(server, words);
    *std::find(line.begin(), line.end(), server.sockets()) = "127.0.0.1";
    const Outcome outcome = run_program(line);
    const std::string both = outcome.out + outcome.end;
    INFO(both);
    CHECK_THAT(outcome.end, Catch::EndsWith("status " + std::to_string(code)));
    CHECK_THAT(both, !Contains("s3cret") && !Contains("wr0ng"));
    return both;
  };
  const std::vector<std::string> roomy{"status", "--check",    "--warn-lag",
                                       "1GB",    "--warn-lag", "1h"};
  CHECK_THAT(run(0, primary, as("monitor", roomy)), Contains("standby 'standby1' is "));
  CHECK_THAT(run(0, *standby, as("monitor", roomy)), Contains("behind the primary"));
  CHECK_THAT(run(0, *standby, as("monitor", {"status"})), Contains("streaming from "));
  CHECK_THAT(run(0, *standby, as("monitor", {"pause"})), Contains("replay is paused at "));
  CHECK_THAT(run(0, *standby, as("monitor", {"resume"})), Contains("replay goes on at "));

  const std::string grant = "GRANT pg_monitor TO it";
  CHECK_THAT(run(3, primary, as("weak", {"status", "--check"})), Contains(grant));
  CHECK_THAT(run(3, *standby, as("weak", {"status", "--check"})), Contains(grant));
  CHECK_THAT(run(0, *standby, as("weak", {"status"})), Contains("not shown to 'weak'"));
  CHECK_THAT(run(42, *standby, as("weak", {"pause"})),
             Contains("42501") && Contains("GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), "
                                           "pg_wal_replay_resume() TO"));
  CHECK(standby->value("select pg_get_wal_replay_pause_state()") == "not paused");
  const std::string where =
      "host=" + primary.sockets() + " user=postgres port=" + std::to_string(primary.port());
  CHECK_THAT(run(42, *standby, as("weak", {"wait", "--primary", where})), Contains(grant));

  CHECK_THAT(run(42, *standby, as("postgres", {"status"})),
             Contains("password authentication failed"));
  CHECK_THAT(
      run(42, *standby, {"status", "--user", "weak", "--passfile", admin.dir.write("empty", "")}),
      Contains("no password supplied"));
  CHECK_THAT(run(1, *standby,
                 {"status", "--user", "weak", "--passfile",
                  admin.dir.write("open", "*:*:*:*:s3cret\n", 0644)}),
             Contains("can be read by others"));
  // As X-Road does.
  const std::string properties =
      admin.dir.write("db.properties",
                      "serverconf.hibernate.connection.url = jdbc:postgresql://127.0.0.1/postgres\n"
                      "serverconf.hibernate.connection.username = monitor\n"
                      "serverconf.hibernate.connection.password = s3cret\n");
  CHECK_THAT(run(0, *standby, {"status", "--db-properties", properties}), Contains("streaming"));
  CHECK_THAT(standby->log() + primary.log(), !Contains("s3cret"));
}

TEST_CASE("replication verbs: a client's certificate is the login, and is shown",
          "[companion][replication]") {
  if (without_postgres()) return;
  const std::int64_t now = wall_now();
  const Identity ca = make_identity({"Cluster CA", now - 60, now + 86'400, true});
  const Identity host = make_identity({"127.0.0.1", now - 60, now + 86'400}, &ca);
  const Identity node = make_identity({"ss2", now - 60, now + 86'400}, &ca);
  PostgresOptions options;
  options.certificate = host.pem();
  options.key = host.key_pem();
  options.ca = ca.pem();
  options.hba = {"hostssl replication ss2 127.0.0.1/32 cert", "host replication ss2 all reject"};
  Postgres primary(options);
  primary.sql("create role ss2 login replication password null");
  primary.sql("create role ss3 login replication password 's3cret'");
  const auto standby = primary.make_standby({"wal_retrieve_retry_interval = 100ms"});
  const std::string conninfo =
      "host=127.0.0.1 port=" + std::to_string(primary.port()) +
      " user=ss2 sslmode=verify-full sslcert=" + standby->write("node.crt", node.pem()) +
      " sslkey=" + standby->write("node.key", node.key_pem()) +
      " sslrootcert=" + standby->write("root.crt", ca.pem());
  standby->sql("alter system set primary_conninfo = '" + conninfo + " application_name=ss2'");
  standby->sql("select pg_reload_conf()");
  REQUIRE(primary.says("select state from pg_stat_replication where application_name = 'ss2'",
                       "streaming"));
  REQUIRE(streams(*standby));
  const Operator admin;
  CHECK_THAT(admin.run(0, primary, {"status"}), Contains("| TLSv1.3 /CN=ss2"));
  CHECK_THAT(admin.run(0, *standby, {"wait"}), Contains("the position of 127.0.0.1:"));
  CHECK_THAT(admin.fail(42, *standby, {"wait", "--primary", "sslmode=disable"}),
             Contains("pg_hba.conf rejects"));
  CHECK_THAT(
      admin.fail(10, *standby,
                 {"wait", "--primary", "sslrootcert=" + admin.dir.write("other.crt", node.pem())}),
      Contains("certificate verify failed"));
  // A file that is missing here is no login that is refused there.
  CHECK_THAT(admin.fail(10, *standby, {"wait", "--primary", "sslrootcert=" + (admin.dir / "none")}),
             Contains("root certificate file") && Contains("does not exist"));
  CHECK_THAT(admin.fail(42, *standby, {"status", "--user", "nosuch"}),
             Contains("nosuch") && Contains("does not exist"));

  // A password in primary_conninfo, as the Central Server's guide has it, is used and not shown.
  standby->sql(
      "alter system set primary_conninfo = 'host=127.0.0.1 port=" + std::to_string(primary.port()) +
      " user=ss3 password=s3cret sslmode=disable application_name=ss3'");
  standby->sql("select pg_reload_conf()");
  REQUIRE(primary.says("select state from pg_stat_replication where application_name = 'ss3'",
                       "streaming"));
  REQUIRE(streams(*standby));
  CHECK_THAT(admin.run(0, *standby, {"wait"}), Contains("the position of 127.0.0.1:"));
  CHECK_THAT(admin.run(0, *standby, {"status", "--json"}), Contains("\"position\": \"0/"));

  // A name that the receiver need not look up, and so nobody need.
  standby->sql(
      "alter system set primary_conninfo = 'host=nowhere.invalid hostaddr=127.0.0.1 port=" +
      std::to_string(primary.port()) +
      " user=ss3 password=s3cret sslmode=disable application_name=by_address'");
  standby->sql("select pg_reload_conf()");
  REQUIRE(primary.says(
      "select state from pg_stat_replication where application_name = 'by_address'", "streaming"));
  REQUIRE(streams(*standby));
  CHECK_THAT(admin.run(0, *standby, {"wait"}), Contains("the position of nowhere.invalid:"));
}
