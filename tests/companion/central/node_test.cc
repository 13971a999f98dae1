// SPDX-License-Identifier: MIT
// Several servers, companion.ini, the options, and the database beside them.
#include <nlohmann/json.hpp>

#include "companion/tls_trust.h"
#include "tests/companion/central/center.h"
#include "tests/companion/pki.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/postgres.h"
#include "tests/support/program.h"
#include "tests/support/silent.h"
#include "tests/support/sshd.h"
#include "tests/support/tls_peer.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

TEST_CASE("central server: all nodes are asked, and one that is down takes nothing away",
          "[companion][central]") {
  const Identity one = self_signed();
  const Identity two = self_signed();
  const Center center;
  const std::vector<std::string> pins{"--fingerprint", pin_of(one), "--fingerprint", pin_of(two)};
  const TlsPeer first(one, serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "OK"}}))));
  SECTION("they agree") {
    const TlsPeer second(
        two, serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "OK"}}, "node_1"))));
    CHECK_THAT(
        center.run(0, center.words({first.where(), second.where()}, pins)),
        Contains(first.where() + ", node node_0") && Contains(second.where() + ", node node_1"));
  }
  SECTION("they do not") {
    const TlsPeer second(
        two, serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "ERROR", 9000}}, "node_1"))));
    CHECK_THAT(
        center.run(2, center.words({first.where(), second.where()}, pins)),
        Contains("CRITICAL: node 'node_1'") &&
            Contains("WARNING: the Central Servers differ about node 'node_1': " + first.where() +
                     " says OK, " + second.where() + " says ERROR: do they use one database"));
  }
  SECTION("one is down, one hangs") {
    const SilentPort silent;
    const std::string down = "127.0.0.1:" + std::to_string(free_port());
    const std::string hung = "127.0.0.1:" + std::to_string(silent.port());
    auto more = pins;
    more.insert(more.end(), {"--timeout", "3"});
    auto words = center.words({down, hung, first.where()}, more);
    CHECK_THAT(center.run(3, words), Contains("UNKNOWN: Central Server " + down + ": no conn") &&
                                         Contains("UNKNOWN: Central Server " + hung) &&
                                         Contains(down + ": no answer\n") && Contains("| OK"));
    words.emplace_back("--check");
    CHECK_THAT(center.run(3, words), Catch::StartsWith("REPLICATION UNKNOWN - Central Server ") &&
                                         Contains(", 2 of 2 nodes of the Central Server are OK |"));
  }
  SECTION("nobody is there") {
    const std::string a = "127.0.0.1:" + std::to_string(free_port());
    CHECK_THAT(center.run(10, center.words({a, a}, pins)), Contains(a + ": no answer\n"));
  }
}

TEST_CASE("central server: companion.ini says it all, and an option says it better",
          "[companion][central]") {
  const Identity one = self_signed();
  const Identity two = self_signed();
  const TlsPeer first(one, serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "OK"}}))));
  const TlsPeer second(two,
                       serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "OK"}}, "node_1"))));
  const Center center;
  const std::string port = std::to_string(free_port());
  const auto configure = [&](const std::string& addresses) {
    center.dir.write("companion.ini", "[central-server]\naddresses = " + addresses +
                                          "\napi-key-file = " + center.dir / "key" +
                                          "\nfingerprints = " + pin_of(one) + " " +
                                          fingerprint_text(pin_of(two)) + "\n");
  };
  configure(first.where() + ", https://" + second.where());
  CHECK_THAT(center.run(0, {"--no-database"}), Contains(first.where()) && Contains(second.where()));
  CHECK_THAT(center.run(0, {"--no-database", "--central-server", second.where()}),
             !Contains(first.where()) && Contains(second.where()));
  CHECK_THAT(center.fail(41, {"--no-database", "--central-server", second.where(), "--fingerprint",
                              pin_of(one)}),
             Contains("is not the one"));
  CHECK_THAT(center.fail(41, {"--no-database", "--central-server", second.where(), "--ca-file",
                              center.dir.write("ca.pem", one.pem())}),
             Contains("is not trusted"));
  configure("http://cs1");
  CHECK_THAT(center.fail(1, {"--no-database"}),
             Contains("companion.ini:2: addresses = http://cs1: give HOST[:PORT]"));
}

TEST_CASE("central server: words that cannot be meant are refused", "[companion][central]") {
  const Center center;
  const auto fail = [&](const std::vector<std::string>& more) {
    return center.fail(1, center.words({}, more));
  };
  CHECK_THAT(fail({"--central-server", "http://cs1"}), Contains("would go over the wire in clear"));
  for (const char* odd : {"", "https://", "cs1:0", "cs1:x", "cs1:70000", "[::1", "[::1]x", "a b",
                          "u:p@cs1", "cs1/path", "cs1:4000/x", "cs\xc3\xa4"}) {
    CAPTURE(odd);
    CHECK_THAT(fail({"--central-server", odd}), Contains("is no Central Server: "));
  }
  for (const char* odd : {"", "AB:CD", "zz", "sha256"}) {
    CAPTURE(odd);
    CHECK_THAT(fail({"--fingerprint", odd}), Contains("is no SHA-256 fingerprint"));
  }
  CHECK_THAT(fail({"--fingerprint", std::string(66, 'a')}), Contains("is no SHA-256 fingerprint"));
  const Identity identity = self_signed();
  const TlsPeer peer(identity, serving(""));
  CHECK_THAT(fail({"--central-server", peer.where(), "--ca-file", center.dir.write("ca", "x")}),
             Contains("ca' has no certificate in PEM form"));
  CHECK_THAT(center.fail(11, center.words({peer.where()}, {"--ca-file", center.dir / "none"})),
             Contains("No such file"));
  CHECK_THAT(center.run(1, {"--no-database", "--api-key-file", "k", "--fingerprint", "a",
                            "--ca-file", "b"}),
             Contains("excludes"));
  CHECK_THAT(center.fail(1, {"--no-database"}), Contains("there is nothing to ask"));
  CHECK_THAT(center.fail(1, {"--no-database", "--central-server", "cs1"}),
             Contains("answers to an API key only"));
  CHECK(peer.requests().empty());
}

TEST_CASE("central server: the database and the servers are told side by side",
          "[companion][central]") {
  if (without_postgres()) return;
  const Identity identity = self_signed();
  const Center center;
  Postgres primary;
  const TlsPeer good(identity, serving(reply_of(body_of({{"node_0", "OK"}}))));
  const TlsPeer bad(identity, serving(reply_of(body_of({{"node_0", "ERROR", 9000}}))));
  std::string key_file = center.dir / "key";
  const auto with = [&](const std::string& server, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{
        "--host",         primary.sockets(), "--port",           std::to_string(primary.port()),
        "--api-key-file", key_file,          "--central-server", server,
        "--fingerprint",  pin_of(identity)};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  CHECK_THAT(center.run(0, with(good.where())), Contains("primary at " + primary.sockets()) &&
                                                    Contains("Central Server " + good.where()));
  CHECK_THAT(center.run(2, with(bad.where())),
             Contains("primary at " + primary.sockets()) && Contains("CRITICAL: node 'node_0'"));
  // The worse part comes first, and its word.
  CHECK_THAT(center.run(2, with(bad.where(), {"--check"})),
             Catch::StartsWith("REPLICATION CRITICAL - node 'node_0'") && Contains("; primary, ") &&
                 Contains(" standbys=0 central_nodes=1 central_nodes_ok=0\n"));
  CHECK_THAT(center.run(2, with(good.where(), {"--check", "--standbys", "1"})),
             Catch::StartsWith("REPLICATION CRITICAL - primary, 0 of 1 standbys"));
  const auto json =
      nlohmann::json::parse(run_program(center.line(with(good.where(), {"--json"}))).out);
  CHECK(json["role"] == "primary");
  CHECK(json["central_server"]["servers"].size() == 1);
  // A key that is not used leaves the database's part.
  key_file = center.dir.write("open", kKey, 0644);
  CHECK_THAT(center.run(1, with(good.where())),
             Contains("primary at ") && Contains("UNKNOWN: the API key file"));
  key_file = center.dir / "key";
  // A Central Server's own file says where its database is.
  primary.sql("create role centerui login password 's3cret' in role pg_monitor");
  const std::string properties = center.dir.write(
      "db.properties",
      "spring.datasource.url=jdbc:postgresql://127.0.0.1:" + std::to_string(primary.port()) +
          "/postgres\nspring.datasource.username=centerui\n"
          "spring.datasource.password=s3cret\nsecondary_hosts=\n");
  CHECK_THAT(center.run(0, {"--db-properties", properties, "--api-key-file", key_file,
                            "--central-server", good.where(), "--fingerprint", pin_of(identity)}),
             Contains("primary at 127.0.0.1:") && Contains("| OK") && !Contains("s3cret"));
  primary.stop();
  CHECK_THAT(center.run(11, with(good.where())),
             Contains("UNKNOWN: this node's database: ") && Contains("| OK"));
  CHECK_THAT(center.run(3, with(good.where(), {"--check"})),
             Catch::StartsWith("REPLICATION UNKNOWN - this node's database: ") &&
                 Contains("; 1 of 1 nodes"));
  CHECK_THAT(center.run(2, with(bad.where(), {"--check"})),
             Catch::StartsWith("REPLICATION CRITICAL - node 'node_0'") &&
                 Contains("; this node's database: "));
}

TEST_CASE("central server: a node without a database is no failure", "[companion][central]") {
  if (::access("/var/run/postgresql/.s.PGSQL.5433", F_OK) == 0) {
    WARN("there is one here");
    return;
  }
  const Identity identity = self_signed();
  const Center center;
  const TlsPeer peer(identity, serving(reply_of(body_of({{"node_0", "OK"}}))));
  CHECK_THAT(center.run(0, {"--api-key-file", center.dir / "key", "--central-server", peer.where(),
                            "--fingerprint", pin_of(identity)}),
             Contains("no database was asked: /var/run/postgresql/.s.PGSQL.5433 is not there; name "
                      "one with --host and --port, or --db-properties\n") &&
                 Contains("| OK"));
}
