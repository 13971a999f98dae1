// SPDX-License-Identifier: MIT
// The doctor on the database of db.properties, a real one, and on its files.
#include "companion/doctor/database.h"

#include <unistd.h>

#include "companion/doctor/report.h"
#include "tests/companion/doctor_node.h"
#include "tests/companion/pki.h"
#include "tests/support/catch.h"
#include "tests/support/http_peer.h"
#include "tests/support/postgres.h"
#include "tests/support/silent.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// The database's part of the checklist for a node with this db.properties.
struct Node {
  DoctorNode node;
  DoctorPlaces places = node.places();
  NodeSettings settings;
  Ini xroad;
  SteadyClock clock;
  NodeType type = NodeType::Secondary;

  Node() { settings.serverconf_db.db_properties = node.root() + "/etc/xroad/db.properties"; }

  void use(const std::string& serverconf, const std::string& messagelog = "127.0.0.1:5432",
           const std::string& password = "s3cret") {
    const auto lines = [&](const std::string& name, const std::string& host) {
      const std::string prefix = name + ".hibernate.connection.";
      return prefix + "url=jdbc:postgresql://" + host + "/" + name + "\n" + prefix +
             "username=" + name + "\n" + prefix + "password=" + password + "\n";
    };
    node.tree.file("etc/xroad/db.properties",
                   lines("serverconf", serverconf) +
                       (messagelog.empty() ? "" : lines("messagelog", messagelog)),
                   0640);
  }
  Finding ask(const std::string& point) {
    Accounts accounts(node.root(), clock);
    const Findings findings = look_at_database({places, settings, xroad, type, accounts, clock});
    for (const Finding& finding : findings) {
      CHECK_THAT(finding_text(finding), !Contains("s3cret") && !Contains("wr0ng"));
    }
    INFO(finding_text(find(findings, point)));
    return find(findings, point);
  }
};

std::string at(const Postgres& server) { return "127.0.0.1:" + std::to_string(server.port()); }

DatabaseFacts good_primary() { return {false, false, "replica", "3", "on", "*"}; }
DatabaseFacts good_standby() { return {true, true, "replica", "0", "on", "localhost"}; }

}  // namespace

TEST_CASE("doctor: db.properties is readable, whole and closed to others", "[doctor]") {
  Node node;
  CHECK_THAT(node.ask("db.properties").found, Contains("is not there"));
  CHECK(node.ask("connection").state == PointState::Unknown);
  node.use("127.0.0.1:1");
  CHECK(node.ask("db.properties").state == PointState::Fine);
  CHECK_THAT(node.ask("db.properties").found,
             Contains("xroad:xroad, mode 640: 127.0.0.1:1/serverconf as serverconf"));
  node.node.tree.mode("etc/xroad/db.properties", 0644);
  CHECK_THAT(node.ask("db.properties").found, Contains("holds passwords: xroad:xroad, mode 644"));
  CHECK_THAT(node.ask("db.properties").mend, Contains("chmod 640 "));
  node.node.tree.file("etc/xroad/db.properties", "serverconf.hibernate.connection.url=mysql:x\n");
  CHECK_THAT(node.ask("db.properties").found, Contains("does not begin with jdbc:postgresql:"));
  CHECK(node.ask("db.properties").fault == Fault::Usage);
}

TEST_CASE("doctor: serverconf has an instance that it does not share", "[doctor]") {
  Node node;
  struct Case {
    const char* serverconf;
    const char* messagelog;
    bool fits;
  };
  const Case cases[] = {
      {"127.0.0.1:5433", "127.0.0.1:5432", true},    {"127.0.0.1:5433", "", true},
      {"localhost:6000", "127.0.0.1", true},         {"localhost", "db.example:5432", true},
      {"127.0.0.1:5433", "localhost:5433", false},   {"[::1]", "localhost", false},
      {"db.example:5433", "db.example:5433", false}, {"127.0.0.1", "", false}};
  node.places.database_limit = 1ms;
  for (const Case& one : cases) {
    INFO(one.serverconf << " and " << one.messagelog);
    DbTarget serverconf = parse_jdbc_url("jdbc:postgresql://" + std::string(one.serverconf) + "/s");
    std::optional<DbTarget> messagelog;
    if (*one.messagelog != '\0') {
      messagelog = parse_jdbc_url("jdbc:postgresql://" + std::string(one.messagelog) + "/m");
    }
    const Finding finding = judge_instance(serverconf, messagelog, "/etc/xroad/db.properties");
    CHECK((finding.state == PointState::Fine) == one.fits);
    if (!one.fits)
      CHECK_THAT(finding.mend, Contains("jdbc:postgresql://127.0.0.1:5433/serverconf"));
  }
  node.type = NodeType::Standalone;
  node.use("127.0.0.1:1");
  CHECK(node.ask("own instance").state == PointState::NotHere);
}

TEST_CASE("doctor: a database has the role and the settings of its node", "[doctor]") {
  CHECK(judge_role(good_primary(), NodeType::Primary).state == PointState::Fine);
  CHECK(judge_role(good_standby(), NodeType::Secondary).state == PointState::Fine);
  CHECK(judge_role(good_standby(), NodeType::Primary).fault == Fault::Role);
  CHECK(judge_role(good_primary(), NodeType::Secondary).fault == Fault::Role);
  DatabaseFacts facts = good_standby();
  facts.receives = false;
  CHECK(judge_role(facts, NodeType::Secondary).fault == Fault::Network);

  const auto mend = [](const DatabaseFacts& given) {
    return judge_replication_settings(given, NodeType::Primary).mend;
  };
  CHECK(mend(good_primary()).empty());
  facts = {false, false, "minimal", "0", "off", "localhost"};
  CHECK_THAT(mend(facts), Contains("wal_level = replica; max_wal_senders = 3; ssl = on; "
                                   "listen_addresses = '*'"));
  facts = good_primary();
  facts.wal_level = "logical";
  CHECK(mend(facts).empty());
  facts = good_standby();
  CHECK(judge_replication_settings(facts, NodeType::Secondary).state == PointState::Fine);
  facts.listen_addresses = "*";
  CHECK_THAT(judge_replication_settings(facts, NodeType::Secondary).mend,
             Contains("listen_addresses = 'localhost'"));
}

TEST_CASE("doctor: replication's keys are postgres's alone", "[doctor]") {
  Node node;
  CHECK(node.ask("replication keys").state == PointState::NotHere);
  if (::geteuid() != 0) {
    WARN("only root can give files away");
    return;
  }
  node.node.account("/bin/sh", "postgres:x:4719:4719:::/bin/sh\n");
  for (const char* name : {"ca.crt", "server.crt", "server.key"}) {
    CHECK_THAT(node.ask("replication keys").found, !Contains("for postgres alone"));
    node.node.tree.file("etc/xroad/postgresql/" + std::string(name), "pem", 0400)
        .owner("etc/xroad/postgresql/" + std::string(name), 4719, 0);
  }
  CHECK_THAT(node.ask("replication keys").found, Contains("for postgres alone"));
  node.node.tree.mode("etc/xroad/postgresql/server.key", 0440);
  CHECK_THAT(node.ask("replication keys").found, Contains("server.key: postgres:xroad, mode 440"));
  CHECK_THAT(node.ask("replication keys").mend, Contains("chmod 400 "));
  // As `replication setup` leaves them.
  node.node.tree.mode("etc/xroad/postgresql/server.key", 0600);
  node.node.tree.mode("etc/xroad/postgresql/server.crt", 0644);
  CHECK_THAT(node.ask("replication keys").found, Contains("for postgres alone"));
  // A month before the end, and after it; the CA's end is an end for all.
  const std::int64_t now = node.places.wall();
  const auto until = [&](const std::string& name, std::int64_t end) {
    const std::string file = "etc/xroad/postgresql/" + name;
    node.node.tree
        .file(file, make_identity({.name = "ss2", .from = now - 86'400, .until = end}).pem(), 0400)
        .owner(file, 4719, 0);
  };
  until("ca.crt", now + 3'000 * 86'400);
  until("server.crt", now + 31 * 86'400);
  CHECK(node.ask("replication keys").state == PointState::Fine);
  CHECK_THAT(node.ask("replication keys").found, Contains("certificates until 2027-"));
  until("server.crt", now + 29 * 86'400);
  CHECK(node.ask("replication keys").state == PointState::Wrong);
  CHECK_THAT(node.ask("replication keys").found, Contains("server.crt ends in 29 day(s)"));
  CHECK_THAT(node.ask("replication keys").mend, Contains("docs/recovery.md"));
  until("server.crt", now - 1);
  CHECK_THAT(node.ask("replication keys").found, Contains("server.crt has ended at "));
  until("server.crt", now + 31 * 86'400);
  until("ca.crt", now - 1);
  CHECK_THAT(node.ask("replication keys").found, Contains("ca.crt has ended at "));
  until("ca.crt", now + 3'000 * 86'400);
  node.node.tree.mode("etc/xroad/postgresql/server.crt", 0664);
  CHECK_THAT(node.ask("replication keys").found, Contains("server.crt: postgres:xroad, mode 664"));
  node.node.tree.mode("etc/xroad/postgresql/server.crt", 0400).mode("etc/xroad", 0750);
  CHECK_THAT(node.ask("replication keys").mend, Contains("chmod o+x "));
}

TEST_CASE("doctor: a real standby and a real primary, each on the right node and on the wrong",
          "[doctor][database]") {
  if (without_postgres()) return;
  Postgres primary;
  primary.sql("create role serverconf login password 's3cret'");
  primary.sql("create database serverconf");
  const auto standby = primary.make_standby();
  REQUIRE(
      standby->says("select count(*) from pg_stat_wal_receiver where status = 'streaming'", "1"));
  Node node;
  node.use(at(*standby));
  CHECK_THAT(node.ask("connection").found, Contains("PostgreSQL ") && Contains(at(*standby)));
  CHECK(node.ask("database role").state == PointState::Fine);
  CHECK(node.ask("its settings").state == PointState::Fine);
  node.type = NodeType::Primary;
  CHECK_THAT(node.ask("database role").found, Contains("a standby, and this node is the primary"));

  node.use(at(primary));
  CHECK(node.ask("database role").state == PointState::Fine);
  CHECK_THAT(node.ask("its settings").mend, Contains("ssl = on; listen_addresses = '*'"));
  node.type = NodeType::Secondary;
  CHECK_THAT(node.ask("database role").found, Contains("a primary, and this node is a secondary"));

  // Not let in.
  node.use(at(primary), "127.0.0.1:5432", "wr0ng");
  CHECK_THAT(node.ask("connection").found, Contains("password authentication failed"));
  CHECK_THAT(node.ask("connection").mend, Contains("the primary's serverconf.hibernate"));
  CHECK(node.ask("database role").state == PointState::Unknown);
  node.use("127.0.0.1:1");
  CHECK(node.ask("connection").fault == Fault::Network);
  CHECK_THAT(node.ask("connection").mend, Contains("systemctl start postgresql@"));

  // A primary that went away, and a server that says nothing.
  node.use(at(*standby));
  primary.stop();
  REQUIRE(standby->says("select count(*) from pg_stat_wal_receiver", "0"));
  CHECK_THAT(node.ask("database role").found, Contains("receives nothing"));
  const SilentPort silent;
  node.use("127.0.0.1:" + std::to_string(silent.port()));
  node.places.database_limit = 200ms;
  CHECK(node.ask("connection").fault == Fault::ConnectTimeout);
}
