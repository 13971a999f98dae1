// SPDX-License-Identifier: MIT
// Work after a rest: the bytes are new, and the last transaction is old.
#include <algorithm>

#include "base/clock.h"
#include "companion/replication/control.h"
#include "companion/replication/judge.h"
#include "tests/companion/verbs/operator.h"
#include "tests/support/catch.h"
#include "tests/support/daemon.h"
#include "tests/support/relay.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;

namespace {

// Something happens while somebody waits for a moment.
class Meanwhile final : public Clock {
 public:
  explicit Meanwhile(std::function<void()> what) : what_(std::move(what)) {}
  Instant now() const override { return real_.now(); }
  int poll(std::span<pollfd> fds, Instant deadline) override {
    if (!fds.empty()) return real_.poll(fds, deadline);
    if (const auto what = std::exchange(what_, nullptr)) what();
    return 0;
  }

 private:
  std::function<void()> what_;
  SteadyClock real_;
};

constexpr const char* kRested =
    "select clock_timestamp() - pg_last_xact_replay_timestamp() > interval '2 s'";

}  // namespace

TEST_CASE("replication: work after a rest is no lag of hours", "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  const auto standby = primary.make_standby();
  REQUIRE(streams(*standby));
  primary.sql("create table before_the_rest (id int)");
  const auto caught_up = [&] {
    const std::string end = primary.value("select pg_current_wal_flush_lsn()");
    return standby->says("select pg_last_wal_replay_lsn() >= '" + end + "'", "t");
  };
  REQUIRE(caught_up());
  REQUIRE(standby->says(kRested, "t"));
  ReplicationAccess access;
  access.local.host = standby->sockets();
  access.local.port = standby->port();
  Meanwhile clock([&] {
    standby->sql("select pg_wal_replay_resume()");
    CHECK(caught_up());
  });
  const Instant deadline = clock.now() + 30s;
  const auto db = open_local(access, clock, deadline);
  ReplicationLimits limits;
  limits.warn.seconds = limits.crit.seconds = 1;
  const auto answer = [&](ReplicationStatus& status) {
    status.primary.emplace().position =
        parse_lsn(primary.value("select pg_current_wal_flush_lsn()"));
  };
  const auto look = [&](Clock& with) {
    ReplicationStatus status = read_replication(*db, "", deadline);
    answer(status);
    CHECK(judge(status, limits).health == Health::Critical);
    look_again(*db, status, 1, with, deadline);
    return status;
  };
  SECTION("that begins between the two questions") {
    ReplicationStatus status = read_replication(*db, "", deadline);
    primary.sql("create table after_the_rest (id int)");
    answer(status);
    REQUIRE(caught_up());
    CHECK(judge(status, limits).health == Health::Critical);
    look_again(*db, status, 1, clock, deadline);
    CHECK(status.lag_bytes() == 0U);
    CHECK(judge(status, limits).health == Health::Ok);
  }
  SECTION("that is replayed while one looks, or is not") {
    standby->sql("select pg_wal_replay_pause()");
    REQUIRE(standby->says("select pg_get_wal_replay_pause_state()", "paused"));
    primary.sql("create table after_the_rest (id int)");
    SteadyClock real;
    const ReplicationStatus held = look(real);
    CHECK(held.lag_seconds().value_or(0) > 2);
    CHECK(held.lag_bytes().value_or(0) > 0);
    const ReplicationStatus moving = look(clock);
    CHECK(moving.moves);
    CHECK(moving.lag_seconds() == 0.0);
    CHECK(judge(moving, limits).health == Health::Ok);
  }
}

TEST_CASE("replication verbs: status looks again when work begins as it asks",
          "[companion][replication]") {
  if (without_postgres()) return;
  Postgres primary;
  primary.sql("create role asker login replication password 's3cret'");
  const auto standby = primary.make_standby();
  REQUIRE(streams(*standby));
  primary.sql("create table before_the_rest (id int)");
  REQUIRE(standby->says(kRested, "t"));
  const Operator admin;
  const Relay slow(primary.port(), {250ms});
  const std::string passfile = admin.dir.write("pgpass", "*:*:*:asker:s3cret\n", 0600);
  Daemon status(
      admin.line(*standby, {"status", "--check", "--crit-lag", "1s", "--timeout", "20", "--primary",
                            "host=127.0.0.1 port=" + std::to_string(slow.port()) +
                                " user=asker sslmode=disable passfile=" + passfile}),
      admin.dir / "log");
  REQUIRE(primary.says("select count(*) from pg_stat_activity where usename = 'asker'", "1"));
  primary.sql("create table after_the_rest (id int)");
  CHECK(status.wait() == 0);
}
