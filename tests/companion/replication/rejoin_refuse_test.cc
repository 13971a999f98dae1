// SPDX-License-Identifier: MIT
// What rejoin refuses, or waits for, and leaves as it was.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/clock.h"
#include "companion/wall.h"
#include "tests/companion/replication/rejoiner.h"
#include "tests/companion/replication/small_disk.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace fs = std::filesystem;

TEST_CASE("rejoin: what it refuses it leaves as it was", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  pair.ss1.sql("insert into t values (1)");
  REQUIRE(pair.caught_up());
  const RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());

  // Nobody has been promoted.
  check_refused(order, 46, "is a standby: say where the primary is");
  check_refused(rejoin_order(pair.ss1, pair.to_ss1()), 25, "is it this very server");
  check_refused(rejoin_order(pair.ss1, ""), 1, "where is the new primary?");
  check_refused(rejoin_order(pair.ss1, "host=127.0.0.1 port=1 user=ss1 sslmode=disable"), 10,
                "Connection refused");
  check_refused(rejoin_order(pair.ss1, "host=127.0.0.1 port=1 user=ss1"), 1,
                "ssl_ca_file is empty");
  check_refused(rejoin_order(pair.ss1, FailoverPair::conninfo(pair.ss2, "stranger")), 42,
                "setup primary --standby stranger");
  {
    const Node foreign;
    foreign.start();
    foreign.sql("create role ss1 login replication");
    check_refused(rejoin_order(pair.ss1, FailoverPair::conninfo(foreign, "ss1")), 43,
                  "is the primary of another cluster");
  }
  pair.ss2.sql("select pg_promote()");
  pair.ss2.sql("checkpoint");
  {
    const Frozen frozen(pair.ss2);
    check_refused(order, 35, "in time");
  }
  check_refused(rejoin_order(pair.ss2, pair.to_ss1()), 25, "this node is newer (timeline 2)");
  {
    const pid_t psql = ::fork();
    if (psql == 0) {
      const std::string port = std::to_string(pair.ss1.port());
      const std::string sockets = pair.ss1.dir() / "run";
      ::execlp("psql", "psql", "-h", sockets.c_str(), "-p", port.c_str(), "-U",
               postgres_account().c_str(), "-d", "postgres", "-c", "select pg_sleep(600)", nullptr);
      ::_exit(127);
    }
    CHECK(
        pair.ss1.says("select count(*) from pg_stat_activity where query like '%pg_sleep(600)%' "
                      "and pid <> pg_backend_pid()",
                      "1"));
    check_refused(order, 25, "runs as a primary and has clients (1, such as " + postgres_account());
    ::kill(psql, SIGKILL);
    ::waitpid(psql, nullptr, 0);
    pair.ss1.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like "
        "'%pg_sleep(600)%' and pid <> pg_backend_pid()");
  }
  CHECK_FALSE(fs::exists(pair.ss1.data() + "/standby.signal"));
  CHECK_FALSE(fs::exists(pair.ss1.data() + ".xroad-rejoin"));
  CHECK(pair.ss1.value("select pg_is_in_recovery()") == "f");

  // Without clients, and with writes that nobody has, it is stopped and rewound.
  CHECK(pair.ss1.says("select count(*) from pg_stat_activity where backend_type = 'client backend'",
                      "1"));
  pair.ss1.sql("insert into t values (11)");
  CHECK_THAT(rejoined(order), Contains("is a standby of 127.0.0.1:"));
  CHECK(pair.ss1.value("select count(*) from t where id = 11") == "0");
}

TEST_CASE("rejoin: a new primary without a checkpoint is waited for, and nothing is changed",
          "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  mark(pair);
  pair.ss1.sql("insert into t select generate_series(1, 10)");
  REQUIRE(pair.caught_up());
  RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());
  order.checkpoint_limit = 1s;
  {
    const Halted halted(pair.ss2, "checkpointer");
    pair.ss2.sql("select pg_promote()");
    REQUIRE(pair.ss2.says("select pg_is_in_recovery()", "f"));
    check_refused(order, 30, "has made no checkpoint, so nothing can be rewound");
    CHECK(pair.ss1.running());
    CHECK_FALSE(fs::exists(pair.ss1.data() + "/standby.signal"));
  }
  pair.ss2.sql("insert into t values (21)");
  order.checkpoint_limit = 60s;
  CHECK_THAT(rejoined(order), Contains("is a standby of 127.0.0.1:"));
  check_follows(pair);
}

TEST_CASE("rejoin: what only this node has is thrown away by its number, or not at all",
          "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  mark(pair);
  diverge(pair);
  RejoinOrder order = rejoin_order(pair.ss1, pair.to_ss2());
  const std::string before = picture(pair.ss1.dir().path());
  for (const std::uint64_t few : {0U, 4U}) {
    order.discard = few;
    check_refused(order, 25, "5 transaction(s) were committed on this node behind 0/");
    check_refused(order, 25, "say --discard 5. Nothing has been changed");
  }
  CHECK(picture(pair.ss1.dir().path()) == before);
  order.dry_run = true;
  CHECK_THAT(rejoined(order), Contains("are thrown away (--discard)"));
  order.dry_run = false;

  // It runs, and somebody writes while it is being stopped.
  pair.ss1.start();
  pair.ss1.sql("insert into t values (16)");
  order.discard = 6;
  SteadyClock clock;
  const auto late = thrown_by([&] {
    rejoin(order, clock, &wall_now, [&](std::string_view text) {
      if (text.starts_with("[2/")) pair.ss1.sql("insert into t values (17)");
    });
  });
  REQUIRE(late);
  CHECK(exit_code(late->fault()) == 25);
  CHECK_THAT(late->text(), Contains("committed 7 transaction(s) that are nowhere else, and 6 may"));
  CHECK_THAT(late->text(), Contains("It is left stopped") && Contains("say --discard 7"));
  CHECK_FALSE(pair.ss1.running());
  CHECK(fs::exists(pair.ss1.data() + "/standby.signal"));
  check_refused(order, 25, "7 transaction(s) were committed on this node behind 0/");
  order.discard = 7;
  CHECK_THAT(rejoined(order), Contains("7 transaction(s) that were committed here"));
  check_follows(pair);
}

TEST_CASE("rejoin: what is missing for a copy is said before anything is changed",
          "[replication]") {
  if (without_postgres()) return;
  if (const auto why = SmallDisk::missing()) {
    WARN(*why);
    return;
  }
  PairOptions options;
  // So that nothing can be rewound, and a small disk does.
  options.primary = {"wal_log_hints = off", "wal_keep_size = 0", "min_wal_size = 32MB",
                     "max_wal_size = 32MB"};
  const FailoverPair pair(options);
  SmallDisk disk(256);
  const Node ss3(Node::Layout::InData, FailoverPair::settings(options));
  disk.elsewhere();
  follow(pair.ss1, ss3, "ss3");
  REQUIRE(pair.caught_up());
  pair.ss2.stop();
  pair.ss1.sql("insert into t values (11)");
  REQUIRE(ss3.says("select count(*) from t", "1"));
  kill_server(pair.ss1);
  pair.ss2.start();
  promote_node(pair.ss2);

  RejoinOrder order = rejoin_order(ss3, FailoverPair::conninfo(pair.ss2, "ss3"));
  order.discard = 1;
  order.allow_reclone = true;
  const auto check_untouched = [&] {
    CHECK(ss3.running());
    CHECK(ss3.value("select count(*) from t") == "1");
    CHECK_FALSE(fs::exists(ss3.data() + ".xroad-rejoin"));
    CHECK_FALSE(fs::exists(ss3.data() + ".xroad-companion"));
  };
  disk.fill(40);
  check_refused(order, 25, "a copy needs about ");
  order.dry_run = true;
  check_refused(order, 25, "a copy needs about ");
  order.dry_run = false;
  check_untouched();
  disk.empty();

  const std::string link = ss3.data() + "/pg_tblspc/16999";
  fs::create_directory_symlink(ss3.dir().path(), link);
  check_refused(order, 4, "this node has tablespaces of its own (pg_tblspc)");
  check_untouched();
  fs::remove(link);
  CHECK_THAT(rejoined(order), Contains("Its old data lies in "));
}
