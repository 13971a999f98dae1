// SPDX-License-Identifier: MIT
// What a monitor is told, and how a primary is named; no server needed.
#include <nlohmann/json.hpp>

#include "companion/replication/connection.h"
#include "companion/replication/judge.h"
#include "companion/replication/show.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::thrown_by;

namespace {

ReplicationStatus healthy_standby() {
  ReplicationStatus status;
  status.where = "/run:5433";
  status.version = 150'018;
  status.standby = true;
  status.received = status.replayed = status.position = 5'000;
  status.replayed_ago = 86'400;  // an idle primary
  status.pause = "not paused";
  status.receiver.emplace();
  status.receiver->status = "streaming";
  status.receiver->message_ago = 5;
  return status;
}

PrimaryAnswer answer(std::uint64_t position) {
  PrimaryAnswer answer;
  answer.where = "ss1:5433";
  answer.position = position;
  answer.system = "1";
  answer.branch.timeline = 1;
  return answer;
}

StandbyLine line(const std::string& name, std::uint64_t replay) {
  StandbyLine one;
  one.name = name;
  one.state = "streaming";
  one.sync_state = "async";
  one.sent = one.write = one.flush = one.replay = replay;
  return one;
}

ReplicationStatus healthy_primary() {
  ReplicationStatus status;
  status.where = "/run:5433";
  status.version = 90'624;
  status.position = 1'000'000;
  status.standbys = {line("ss2", 1'000'000)};
  return status;
}

Health health(const ReplicationStatus& status, const ReplicationLimits& limits = {}) {
  return judge(status, limits).health;
}

std::string worst(const ReplicationStatus& status) { return judge(status, {}).findings[0].text; }

}  // namespace

TEST_CASE("replication judge: a standby", "[companion]") {
  ReplicationStatus status = healthy_standby();
  CHECK(health(status) == Health::Ok);
  CHECK(worst(status) == "0 bytes and 0 s behind the primary");
  SECTION("caught up with what it received, and the primary says there is more") {
    status.primary = answer(6'000);
    CHECK(status.lag_bytes() == 1'000U);
    CHECK(status.lag_seconds() == 86'400.0);
    CHECK(health(status) == Health::Critical);
  }
  SECTION("no receiver") {
    status.receiver.reset();
    CHECK(health(status) == Health::Critical);
    CHECK_THAT(worst(status), Contains("no receiver runs"));
    // What came once is not all that there is.
    CHECK_FALSE(status.lag_bytes());
    CHECK_FALSE(status.lag_seconds());
    const ReplicationVerdict verdict = judge(status, {});
    CHECK(verdict.numbers(status, {}).empty());
    CHECK_THAT(verdict.words(status), Contains("how far behind the primary is not known"));
    const auto json = nlohmann::json::parse(replication_json(status, verdict));
    CHECK(json["lag_bytes"].is_null());
    CHECK(json["lag_seconds"].is_null());
    CHECK_THAT(replication_text(status, verdict), Contains("0/1388, - behind"));
    status.primary = answer(6'000);
    CHECK(status.lag_bytes() == 1'000U);
  }
  SECTION("before 9.6, which tells of no receiver, the primary's word is all") {
    status.receiver.reset();
    status.receiver_told = false;
    status.primary.emplace().trouble = "it is away";
    CHECK(health(status) == Health::Unknown);
    CHECK(worst(status) == "how far behind the primary is not known: it is away");
    status.primary = answer(5'000);
    CHECK(health(status) == Health::Ok);
  }
  SECTION("a standby's word is not the primary's") {
    status.primary = answer(5'000);
    status.primary->standby = true;
    CHECK_FALSE(status.lag_bytes());
    CHECK(health(status) == Health::Unknown);
    CHECK_THAT(worst(status), Contains("not known: ss1:5433 is a standby itself; say with "
                                       "--primary where the writing one is"));
  }
  SECTION("another cluster") {
    status.system = "1";
    status.primary = answer(5'000);
    CHECK(health(status) == Health::Ok);
    status.primary->system = "2";
    CHECK_FALSE(status.lag_bytes());
    CHECK(health(status) == Health::Critical);
    CHECK(worst(status) == "ss1:5433 is of another cluster (system 2, here 1)");
  }
  SECTION("another timeline") {
    status.receiver->timeline = 1;
    status.receiver->host = "ss1";
    status.receiver->port = "5433";
    status.primary = answer(6'000);
    status.primary->where = "ss2:5433";
    status.primary->branch = {2, {{1, 5'001}}};  // on its way there
    status.replayed_ago = 5;
    CHECK(health(status) == Health::Ok);
    CHECK(status.lag_bytes() == 1'000U);
    status.primary->branch = GENERATE(Branch{2, {{1, 5'000}}}, Branch{2, {}}, Branch{3, {{2, 9}}});
    CHECK_FALSE(status.lag_bytes());
    CHECK(health(status) == Health::Critical);
    CHECK_THAT(worst(status),
               Contains("follows another primary: it receives timeline 1 from ss1:5433, and "
                        "ss2:5433 is the primary of timeline "));
    // Two that were promoted, and the other one has more.
    status.receiver->timeline = 2;
    status.primary->branch = {1, {}};
    CHECK(health(status) == Health::Critical);
    status.receiver->timeline = 1;
    CHECK(health(status) == Health::Ok);
  }
  SECTION("a receiver that waits") {
    status.receiver->status = "waiting";
    CHECK(worst(status) == "the receiver is not streaming but 'waiting'");
  }
  SECTION("a silent primary") {
    status.receiver->message_ago = 91;
    CHECK(worst(status) == "the primary is silent for 91 s");
  }
  SECTION("paused, and asked to pause") {
    for (const char* pause : {"paused", "pause requested"}) {
      status.pause = pause;
      CHECK(health(status) == Health::Warning);
      CHECK(worst(status) == std::string("replay: ") + pause);
    }
  }
  SECTION("a slot that an old primary has brought along") {
    status.slots = {{"ss2", "physical", false, 4'000, "reserved", std::nullopt}};
    CHECK(health(status) == Health::Warning);
    CHECK(worst(status) ==
          "slot 'ss2' is not in use and keeps 1000 bytes of WAL at this standby: unless something "
          "follows this node, select pg_drop_replication_slot('ss2')");
    status.slots[0].active = true;
    CHECK(health(status) == Health::Ok);
    status.slots[0].wal_status = "lost";
    CHECK(health(status) == Health::Critical);
    CHECK_THAT(worst(status), Contains("pg_drop_replication_slot('ss2')"));
    // Nothing is kept for one that was never used, nor by one that follows the primary's.
    status.slots = {{"never", "physical", false, std::nullopt, "", std::nullopt},
                    {"kept_in_step", "logical", false, 4'000, "reserved", std::nullopt}};
    CHECK(health(status) == Health::Ok);
  }
  SECTION("not shown is not fine") {
    status.hidden = true;
    status.user = "weak";
    status.receiver->status.clear();
    CHECK(health(status) == Health::Unknown);
    CHECK_THAT(worst(status), Contains("GRANT pg_monitor"));
  }
  SECTION("nothing told") {
    status.received.reset();
    status.replayed.reset();
    CHECK(health(status) == Health::Unknown);
    CHECK(worst(status) == "the database does not tell how far it is");
  }
}

TEST_CASE("replication judge: a primary", "[companion]") {
  ReplicationStatus status = healthy_primary();
  CHECK(health(status) == Health::Ok);
  CHECK(judge(status, {}).line(status, {}) ==
        "REPLICATION OK - primary, standby 'ss2' is 0 bytes and 0 s behind | standbys=1 "
        "worst_lag_bytes=0B;16777216;268435456;0 worst_lag_seconds=0s;60;600;0\n");
  SECTION("the slowest standby counts") {
    status.position = *status.position + (17U << 20);
    status.standbys.push_back(line("ss3", *status.position));
    CHECK(health(status) == Health::Warning);
    CHECK(worst(status) == "standby 'ss2' is 17408 KiB behind");
  }
  SECTION("one that is in the list and says nothing") {
    status.standbys[0].reply_ago = 9;
    CHECK(health(status) == Health::Ok);
    status.standbys[0].reply_ago = 91;
    CHECK(health(status) == Health::Warning);
    CHECK(worst(status) ==
          "standby 'ss2' is silent for 91 s, or its clock is that far behind this one's");
    status.standbys[0].reply_ago = -90;
    CHECK(health(status) == Health::Ok);
    status.standbys[0].reply_ago = -91;
    CHECK(health(status) == Health::Warning);
    CHECK_THAT(worst(status), Contains("the clock of standby 'ss2' is 91 s ahead of this one's"));
  }
  SECTION("nobody, and fewer than there should be") {
    ReplicationLimits limits;
    limits.standbys = 2;
    CHECK(health(status, limits) == Health::Critical);
    status.standbys.clear();
    CHECK(health(status) == Health::Warning);
    CHECK(worst(status) == "no standby is connected");
  }
  SECTION("a base backup is no standby") {
    status.standbys.push_back(line("pg_basebackup", 1));
    CHECK(health(status) == Health::Ok);
    ReplicationLimits limits;
    limits.standbys = 2;
    CHECK(health(status, limits) == Health::Critical);
  }
  SECTION("one that catches up") {
    status.standbys[0].state = "catchup";
    CHECK(worst(status) == "standby 'ss2' is in state 'catchup'");
  }
  SECTION("writes that wait for a synchronous standby") {
    status.synchronous_names = "inmanta";
    CHECK(health(status) == Health::Critical);
    CHECK_THAT(worst(status), Contains("every write waits"));
    status.standbys[0].sync_state = GENERATE("sync", "quorum");
    CHECK(health(status) == Health::Ok);
    status.synchronous_names = "ANY 1 (ss2, ss3)";
    CHECK(health(status) == Health::Ok);
    status.synchronous_names = GENERATE("ANY 2 (ss2, ss3)", "FIRST 2 (ss2, ss3)", "2 (ss2, ss3)");
    CHECK(health(status) == Health::Critical);
    CHECK_THAT(worst(status), Contains("1 of 2 synchronous standbys"));
  }
  SECTION("slots") {
    status.slots = {{"s", "physical", true, 999'000, "reserved", std::nullopt}};
    CHECK(health(status) == Health::Ok);
    status.slots[0].active = false;
    CHECK(worst(status) == "slot 's' is not in use and keeps 1000 bytes of WAL");
    status.slots[0].wal_status = "unreserved";
    CHECK(health(status) == Health::Critical);
    status.slots[0].wal_status = "lost";
    CHECK_THAT(worst(status), Contains("set the standby up anew"));
  }
  SECTION("a name made for the monitor's parser") {
    status.standbys[0].name = "a|b\nc";
    const std::string text = judge(status, {}).line(status, {});
    CHECK(std::count(text.begin(), text.end(), '|') == 1);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK_THAT(replication_text(status, judge(status, {})), Contains("a|b\\#012c"));
  }
}

TEST_CASE("replication judge: limits have units", "[companion]") {
  LagLimit limit;
  add_limit(limit, "5min");
  CHECK(limit.seconds == 300.0);
  CHECK_FALSE(limit.bytes);
  add_limit(limit, "16MB");
  CHECK(limit.bytes == 16U << 20);
  add_limit(limit, "2h");
  CHECK(limit.seconds == 7200.0);
  for (const char* text : {"", "60", "s", "-1s", "1.5s", "60 s", "1TBx", "99999999999999999999s"}) {
    CAPTURE(text);
    const auto error = thrown_by([&] { add_limit(limit, text); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Usage);
  }
}

TEST_CASE("replication judge: nothing is critical before it is a warning", "[companion]") {
  ReplicationLimits limits;
  limits.warn = {1U << 20, 3600.0};
  limits.raise_crit();
  CHECK(limits.crit.bytes == 256U << 20);
  CHECK(limits.crit.seconds == 3600.0);
  ReplicationStatus status = healthy_standby();
  status.replayed = 4'000;
  status.replayed_ago = 3'000;
  CHECK(health(status, limits) == Health::Ok);
  status.replayed_ago = 3'601;
  CHECK(health(status, limits) == Health::Critical);
}

TEST_CASE("replication: a position survives being written and read", "[companion]") {
  for (const char* text : {"0/0", "0/4058A40", "16/B374D848", "FFFFFFFF/FFFFFFFF"}) {
    CHECK(lsn_text(parse_lsn(text)) == text);
  }
  CHECK(parse_lsn("1/0") == std::uint64_t(1) << 32U);
  for (const char* text :
       {"", "/", "1/", "/1", "1", "1/1/1", "1/100000000", "x/1", " 1/1", "-1/1"}) {
    CAPTURE(text);
    CHECK(thrown_by([&] { parse_lsn(text); })->fault() == Fault::Mismatch);
  }
}

TEST_CASE("replication: a primary is named by host and port, by words or by a URI", "[companion]") {
  const auto hosts = [](const std::string& words) { return parse_conninfo(words, "here").hosts; };
  using Hosts = std::vector<DbHost>;
  CHECK(hosts("ss1") == Hosts{{"ss1", 5433}});
  CHECK(hosts("ss1:5432") == Hosts{{"ss1", 5432}});
  CHECK(hosts("[::1]:5432") == Hosts{{"::1", 5432}});
  CHECK(hosts("fe80::1") == Hosts{{"fe80::1", 5433}});
  CHECK(hosts("host=a,b port=1,2") == Hosts{{"a", 1}, {"b", 2}});
  CHECK(hosts("hostaddr=10.0.0.1 port=7") == Hosts{{"10.0.0.1", 7}});
  // The name is what the certificate is compared with.
  CHECK(hosts("host=a hostaddr=10.0.0.1 port=7") == Hosts{{"a", 7, "10.0.0.1"}});
  CHECK(hosts("host=a,b hostaddr=,::1 port=7") == Hosts{{"a", 7}, {"b", 7, "::1"}});
  CHECK(hosts("postgresql://u@h:9/x") == Hosts{{"h", 9}});
  const DbTarget full = parse_conninfo(
      "user=ss2 password=s3cret host=ss1 sslmode=verify-full replication=true options=-cx=y "
      "application_name=z sslcert='/a b'",
      "here");
  CHECK(full.user == "ss2");
  CHECK(full.password == "s3cret");
  CHECK(full.options == std::vector<std::pair<std::string, std::string>>{{"sslmode", "verify-full"},
                                                                         {"sslcert", "/a b"}});
  // What the words do not say stays.
  CHECK(parse_conninfo("host=ss9", "here", full).user == "ss2");
  // Where nobody names a port: PostgreSQL's own in its words, serverconf's in an operator's.
  const auto said = [](const std::string& words, const DbTarget& base) {
    return parse_conninfo(words, "--primary", base).hosts;
  };
  CHECK(hosts("host=a,b user=x") == Hosts{{"a", 5432}, {"b", 5432}});
  CHECK(hosts("postgresql://a") == Hosts{{"a", 5432}});
  CHECK(said("host=a", {}) == Hosts{{"a", 5433}});
  CHECK(said("host=b", parse_conninfo("host=a hostaddr=10.0.0.1", "x")) == Hosts{{"b", 5432}});
  CHECK(said("user=c", parse_conninfo("host=a hostaddr=::1 port=7", "x")) ==
        Hosts{{"a", 7, "::1"}});
  for (const char* words : {":1", "a:0", "a:x", "[::1", "nosuch=s3cret", "host=a port=x", "a=b=c",
                            "host=a,b hostaddr=::1"}) {
    CAPTURE(words);
    const auto error = thrown_by([&] { parse_conninfo(words, "--primary"); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Usage);
    CHECK_THAT(error->text(), Contains("--primary: ") && !Contains("s3cret"));
  }
}

TEST_CASE("replication: a passfile that others can read is refused", "[companion]") {
  const test::TempDir dir;
  check_passfile(dir.write("good", "*:*:*:*:x\n", 0600));
  for (const unsigned mode : {0640U, 0604U, 0610U, 0666U}) {
    const auto error = thrown_by([&] { check_passfile(dir.write("bad", "", mode)); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Usage);
    CHECK_THAT(error->text(), Contains("bad' can be read by others") && Contains("chmod 0600"));
  }
  CHECK(thrown_by([&] { check_passfile(dir / "none"); })->fault() == Fault::Io);
  CHECK(thrown_by([&] { check_passfile(dir.path()); })->fault() == Fault::Usage);
}

TEST_CASE("replication show: JSON has what the table has, and nulls for what is not known",
          "[companion]") {
  ReplicationStatus status = healthy_primary();
  status.standbys[0].tls = "TLSv1.3";
  status.standbys[0].tls_subject = "/CN=ss2";
  status.standbys[0].replay.reset();
  const auto json = nlohmann::json::parse(replication_json(status, judge(status, {})));
  CHECK(json["role"] == "primary");
  CHECK(json["position"] == "0/F4240");
  CHECK(json["timeline"].is_null());
  CHECK(json["standbys"][0]["lag_bytes"].is_null());
  CHECK(json["standbys"][0]["tls_subject"] == "/CN=ss2");
  CHECK(json["health"] == "OK");
  const std::string text = replication_text(status, judge(status, {}));
  CHECK_THAT(text, Contains("primary at /run:5433, PostgreSQL 9.6.24, position 0/F4240") &&
                       Contains("application_name") && Contains("TLSv1.3 /CN=ss2"));
}
