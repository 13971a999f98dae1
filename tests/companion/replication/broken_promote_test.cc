// SPDX-License-Identifier: MIT
// `replication promote` broken off: the program killed at every step, the server killed in the
// middle of its promotion.
#include <csignal>
#include <filesystem>
#include <future>

#include "base/clock.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/promote.h"
#include "tests/companion/replication/deaths.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

bool asked_to_promote(const Node& node) {
  return std::filesystem::exists(node.data() + "/promote");
}

std::string control_timeline(const Node& node) {
  SteadyClock clock;
  return std::to_string(read_control(node.cluster(), node.data(), clock).timeline);
}

// What a promotion ends with, whoever was killed on the way.
void check_primary(const FailoverPair& pair, const std::string& said) {
  CAPTURE(said);
  CHECK_THAT(said, Contains("timeline 2"));
  CHECK_THAT(said, Contains("What is left to do:"));
  CHECK_THAT(said, Contains("The old primary (127.0.0.1:" + std::to_string(pair.ss1.port())));
  CHECK(control_timeline(pair.ss2) == "2");
  CHECK(pair.ss2.value("select pg_is_in_recovery()") == "f");
  CHECK(pair.ss2.value("select count(*) from t") == "100");
  pair.ss2.sql("insert into t values (101)");
  CHECK_FALSE(std::filesystem::exists(pair.ss2.data() + "/standby.signal"));
  CHECK_FALSE(pair.ss1.running());
}

}  // namespace

TEST_CASE("promote: killed as each step begins, it ends right when it is run again",
          "[replication]") {
  if (without_postgres()) return;
  const bool hot = GENERATE(true, false);
  CAPTURE(hot);
  PairOptions options;
  options.standby = {"synchronous_standby_names = 'ss1'",
                     std::string("hot_standby = ") + (hot ? "on" : "off")};
  const FailoverPair pair(options);
  pair.ss1.sql("insert into t select generate_series(1, 100)");
  if (hot) {
    REQUIRE(pair.caught_up());
    pair.ss2.sql("select pg_wal_replay_pause()");
  }
  pair.ss1.stop();  // it sends its last record
  const PromoteOrder order = order_for(pair.ss2);
  const int promotes = hot ? 3 : 2;
  int step = 1;
  for (; step < 20; ++step) {
    CAPTURE(step);
    SteadyClock clock;
    if (!dies_at_step(step, [&](const Say& say) { promote(order, clock, say); })) break;
    CHECK_FALSE(pair.ss1.running());
    if (step > promotes) {
      CHECK(pair.ss2.value("select pg_is_in_recovery()") == "f");
      break;  // one that has been promoted begins anew, at its first step
    }
    CHECK(std::filesystem::exists(pair.ss2.data() + "/standby.signal"));
    if (hot) CHECK(pair.ss2.value("select pg_is_in_recovery()") == "t");
  }
  CHECK(step == promotes + 1);
  const std::string said = promoted(order);
  check_primary(pair, said);
  // It was emptied by a run that did not live to say so.
  CHECK_THAT(said, Contains("synchronous_standby_names has been made empty"));
  CHECK_THAT(promoted(order), Contains("already, on timeline 2: nothing to do but"));
}

TEST_CASE("promote: killed between the promotion and its first checkpoint, it goes on there",
          "[replication]") {
  if (without_postgres()) return;
  // So that the server's own checkpoint does not come first.
  PairOptions options;
  options.primary = {"checkpoint_timeout = 1h", "checkpoint_completion_target = 1"};
  const FailoverPair pair(options);
  pair.ss1.sql("insert into t select generate_series(1, 100)");
  REQUIRE(pair.caught_up());
  kill_server(pair.ss1);
  const PromoteOrder order = order_for(pair.ss2);
  const pid_t checkpointer = server_process(pair.ss2, "checkpointer");
  ::kill(checkpointer, SIGSTOP);
  SteadyClock clock;
  const bool died = dies_at_step(5, [&](const Say& say) { promote(order, clock, say); });
  CHECK(died);
  CHECK(control_timeline(pair.ss2) == "1");
  PromoteOrder dry = order;
  dry.dry_run = true;
  const std::string plan = promoted(dry);
  ::kill(checkpointer, SIGCONT);
  CHECK_THAT(plan, Contains("already, on timeline 2"));
  CHECK_THAT(plan, Contains("SQL checkpoint") && Contains("this was a dry run"));
  const std::string said = promoted(order);
  check_primary(pair, said);
}

TEST_CASE("promote: killed in the middle of the promotion, the request stands", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  pair.ss1.sql("insert into t select generate_series(1, 100)");
  REQUIRE(pair.caught_up());
  kill_server(pair.ss1);
  const PromoteOrder order = order_for(pair.ss2);
  const pid_t startup = server_process(pair.ss2, "startup");
  ::kill(startup, SIGSTOP);
  const bool died = dies_when([&] { return asked_to_promote(pair.ss2); }, [&] { promoted(order); });
  CHECK(died);
  CHECK(pair.ss2.value("select pg_is_in_recovery()") == "t");
  ::kill(startup, SIGCONT);
  check_primary(pair, promoted(order));
}

TEST_CASE("promote: the server killed in the middle of it is told, and promoted later",
          "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  pair.ss1.sql("insert into t select generate_series(1, 100)");
  REQUIRE(pair.caught_up());
  kill_server(pair.ss1);
  const PromoteOrder order = order_for(pair.ss2);
  ::kill(server_process(pair.ss2, "startup"), SIGSTOP);
  auto run = std::async(std::launch::async, [&] { return thrown_by([&] { promoted(order); }); });
  REQUIRE(eventually(60s, [&] { return asked_to_promote(pair.ss2); }));
  kill_server(pair.ss2);
  const auto error = run.get();
  REQUIRE(error);
  CAPTURE(error->text());
  CHECK(exit_code(error->fault()) == 11);
  CHECK_THAT(error->text(), Contains("has ended while it was promoted") && Contains("start it: ") &&
                                Contains("go on with: promote again"));
  CHECK(std::filesystem::exists(pair.ss2.data() + "/standby.signal"));
  const auto down = thrown_by([&] { promoted(order); });
  REQUIRE(down);
  CHECK_THAT(down->text(), Contains("does not run; start it: "));

  // It comes back as the standby that it was, and nobody else has taken its place.
  pair.ss2.start();
  CHECK(pair.ss2.says("select pg_is_in_recovery()", "t"));
  CHECK_FALSE(asked_to_promote(pair.ss2));
  check_primary(pair, promoted(order));
}

TEST_CASE("promote: a run that was killed does not bind the next one to promote", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  pair.ss1.sql("insert into t select generate_series(1, 100)");
  REQUIRE(pair.caught_up());
  pair.ss1.stop();
  const PromoteOrder order = order_for(pair.ss2);
  SteadyClock clock;
  REQUIRE(dies_at_step(3, [&](const Say& say) { promote(order, clock, say); }));
  pair.ss1.start();  // somebody has mended it meanwhile
  REQUIRE(pair.ss1.says("select state from pg_stat_replication", "streaming"));
  const auto error = thrown_by([&] { promoted(order); });
  REQUIRE(error);
  CHECK(exit_code(error->fault()) == 25);
  CHECK_THAT(error->text(), Contains("answers and takes writes"));
  CHECK(pair.ss2.value("select pg_is_in_recovery()") == "t");
  pair.ss1.sql("insert into t values (101)");
  CHECK(pair.ss2.says("select count(*) from t", "101"));
}
