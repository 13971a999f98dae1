// SPDX-License-Identifier: MIT
// Three real servers, more than one of which may write: whom a standby follows, and whose word
// counts.
#include <nlohmann/json.hpp>

#include "tests/companion/verbs/operator.h"
#include "tests/support/catch.h"
#include "tests/support/daemon.h"
#include "tests/support/program.h"

using namespace xs;
using namespace xs::test;
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
