// SPDX-License-Identifier: MIT
// `replication setup` on real servers: every profile from two empty clusters to rows that arrive.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "base/io.h"
#include "companion/replication/cluster_tools.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

// What a running server writes by itself.
const std::vector<std::string> kServersOwn = {"/pg_",           "/base",           "/global",
                                              "postmaster.pid", "postmaster.opts", ".start.log",
                                              ".s.PGSQL",       "backup_"};

std::map<std::string, std::string> files(const Node& node) {
  return snapshot(node.dir().path(), kServersOwn);
}

std::string roles_and_slots(const Node& node) {
  return node.value(
      "select (select string_agg(a::text, ';' order by rolname) from pg_authid a) || "
      "(select string_agg(slot_name || slot_type, ';' order by slot_name) from "
      "pg_replication_slots)");
}

int old_copies(const Node& node) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(node.dir() / "lib")) {
    count += entry.path().filename().string().find("data.old-") == 0 ? 1 : 0;
  }
  return count;
}

}  // namespace

TEST_CASE("setup: certificates, from two empty clusters to rows; a second time changes nothing",
          "[replication][database]") {
  if (without_postgres()) return;
  for (const auto layout : {Node::Layout::InData, Node::Layout::Apart}) {
    Pair pair(Profile::Xroad,
              layout == Node::Layout::InData ? Node::Layout::Apart : Node::Layout::InData, layout);
    pair.primary.start();
    pair.standby.start();
    CHECK(pair.setup_primary());
    INFO(pair.said);
    CHECK(pair.setup_standby());
    CHECK(pair.row_arrives("one"));
    CHECK(pair.primary.value("select state || ' ' || sync_state || ' ' || usename || ' ' || "
                             "application_name from pg_stat_replication") ==
          "streaming async ss2 ss2");
    CHECK_THAT(pair.primary.value("select client_dn from pg_stat_ssl join pg_stat_replication "
                                  "using (pid)"),
               Contains("CN=ss2"));
    CHECK(pair.primary.value("select rolpassword is null from pg_authid where rolname = 'ss2'") ==
          "t");
    CHECK(pair.primary.value("select active from pg_replication_slots where slot_name = 'ss2'") ==
          "t");
    CHECK(pair.standby.value("show hot_standby_feedback") == "on");
    CHECK(pair.standby.value("show port") == std::to_string(pair.standby.port()));
    CHECK(old_copies(pair.standby) == 1);
    CHECK_FALSE(fs::exists(pair.standby.data() + ".xroad-companion"));

    const auto before = files(pair.primary);
    const auto before_standby = files(pair.standby);
    const std::string roles = roles_and_slots(pair.primary);
    const auto pid = find_server(pair.standby.cluster())->pid;
    CHECK_FALSE(pair.setup_primary());
    CHECK_FALSE(pair.setup_standby());
    CHECK(files(pair.primary) == before);
    CHECK(files(pair.standby) == before_standby);
    CHECK(roles_and_slots(pair.primary) == roles);
    CHECK(find_server(pair.standby.cluster())->pid == pid);
    CHECK_THAT(pair.dry_primary(), Contains("Nothing would be changed."));
    CHECK_THAT(pair.dry_standby(), Contains("Nothing would be changed."));

    // The keys are their owner's alone.
    for (const std::string& key :
         {pair.primary.dir() / "pki/ca.key", pair.primary.dir() / "pki/server.key",
          pair.primary.dir() / "pki/bundles/ss2/server.key",
          pair.standby.dir() / "pki/server.key"}) {
      struct stat st {};
      REQUIRE(::stat(key.c_str(), &st) == 0);
      CHECK((st.st_mode & 07777U) == 0600U);
      CHECK(st.st_uid == pair.primary.cluster().user.uid);
    }
  }
}

TEST_CASE("setup: passwords, from two empty clusters to rows; the password is nowhere to be read",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::CentralServer);
  pair.primary.append("postgresql.conf", "log_statement = 'all'\n");
  pair.primary.start();
  CHECK_THAT(pair.dry_primary(), !Contains("s3cret"));
  CHECK(pair.setup_primary());
  INFO(pair.said);
  CHECK(pair.setup_standby());
  CHECK(pair.row_arrives("one"));
  CHECK(pair.primary.value("select state from pg_stat_replication") == "streaming");
  CHECK_THAT(pair.primary.value("select rolpassword from pg_authid where rolname = 'ss2'"),
             Contains("SCRAM-SHA-256$4096:"));
  CHECK_THAT(pair.standby.value("show primary_conninfo"), !Contains("s3cret"));
  CHECK_FALSE(pair.setup_primary());
  CHECK_FALSE(pair.setup_standby());
  CHECK_THAT(pair.dry_standby(), !Contains("s3cret"));
  CHECK_THAT(pair.said + pair.primary.log() + pair.standby.log(), !Contains("s3cret"));
  // Another password is another verifier.
  pair.primary.dir().write("password", "an0ther one\n");
  CHECK(pair.setup_primary());
}

TEST_CASE("setup: synchronous; commits wait for a standby only when one is there",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Synchronous);
  pair.primary.start();
  CHECK(pair.setup_primary());
  CHECK_THAT(pair.said, Contains("later: no standby streams yet"));
  CHECK_THAT(pair.said, Contains("WRITES STOP"));
  pair.primary.sql("create table alone (i int)");  // no standby: no waiting
  CHECK(pair.setup_standby());
  INFO(pair.said);
  CHECK(pair.setup_primary());
  CHECK(pair.primary.says("select sync_state from pg_stat_replication", "quorum"));
  pair.primary.sql("create table rows (word text)");
  CHECK_FALSE(pair.setup_primary());
  CHECK_FALSE(pair.setup_standby());
  // The standby is warm: nobody is let in.
  CHECK_THROWS(pair.standby.value("select 1"));

  // It goes, and a commit waits; our own orders do not.
  pair.standby.stop();
  CHECK(pair.primary.says("select count(*) from pg_stat_replication", "0"));
  pair.primary_setup.standbys.push_back({"ss3", {}});
  CHECK(pair.setup_primary());
  CHECK(pair.primary.value("show synchronous_standby_names") == "ANY 1 (\"ss2\")");
  auto waits =
      std::async(std::launch::async, [&] { pair.primary.sql("insert into rows values ('x')"); });
  CHECK(
      pair.primary.says("select wait_event from pg_stat_activity where query like 'insert into "
                        "rows%' and pid <> pg_backend_pid()",
                        "SyncRep"));
  pair.standby.start();
  waits.get();
  pair.primary.sql("insert into rows values ('y')");
}

TEST_CASE("setup: killed between any two steps, it goes on when it is run again",
          "[replication][database]") {
  if (without_postgres()) return;
  // Every step of both plans is begun once by a process that dies there.
  Pair pair(Profile::Xroad, Node::Layout::InData, Node::Layout::InData);
  pair.primary.start();
  pair.standby.start();
  const auto dies_at = [&](const std::string& step, const auto& run) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        run([&](std::string_view text) {
          if (text.starts_with(step)) ::raise(SIGKILL);
        });
      } catch (const std::exception& error) {
        ::write(2, error.what(), std::string_view(error.what()).size());
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status);
  };
  int deaths = 0;
  for (int i = 1; i <= 30; ++i) {
    const bool died = dies_at("[" + std::to_string(i) + "/", [&](const WorkPlan::Say& say) {
      plan_primary(pair.primary_setup, pair.clock, pair.wall()).run(say);
    });
    if (!died) break;
    ++deaths;
  }
  CHECK(deaths > 10);
  CHECK_FALSE(pair.setup_primary());
  pair.load_bundle();
  int standby_deaths = 0;
  for (int i = 1; i <= 30; ++i) {
    const bool died = dies_at("[" + std::to_string(i) + "/", [&](const WorkPlan::Say& say) {
      plan_standby(pair.standby_setup, pair.clock, pair.wall()).run(say);
    });
    if (!died) break;
    ++standby_deaths;
  }
  CHECK(standby_deaths > 9);
  CHECK_FALSE(pair.setup_standby());
  CHECK(pair.row_arrives("one"));
  CHECK(old_copies(pair.standby) == 1);
}

TEST_CASE("setup: a standby that cannot follow is taken back, and the old server runs again",
          "[replication][database]") {
  if (without_postgres()) return;
  for (const auto layout : {Node::Layout::InData, Node::Layout::Apart}) {
    Pair pair(Profile::Xroad, Node::Layout::InData, layout);
    pair.primary.start();
    pair.standby.start();
    pair.standby.sql("create table mine (i int)");
    pair.setup_primary();
    pair.load_bundle();
    pair.standby_setup.stream_limit = std::chrono::seconds(3);
    const auto conf = read_file(pair.standby.config() + "/postgresql.conf", 1U << 20);
    // A key that somebody made by the guide: nobody else has it.
    const std::string key = pair.standby.dir() / "pki/server.key";
    fs::create_directory(pair.standby.dir() / "pki");
    give_to_postgres(pair.standby.dir() / "pki");
    replace_file(key, "the guide's", 0600);
    give_to_postgres(key);
    const WorkPlan plan = plan_standby(pair.standby_setup, pair.clock, pair.wall());
    // The primary goes after the copy has been taken.
    const auto error = thrown_by([&] {
      plan.run([&](std::string_view text) {
        pair.said += text;
        if (text.starts_with("[") && text.find("stop the server") != std::string_view::npos) {
          pair.primary.stop();
        }
      });
    });
    INFO(pair.said);
    REQUIRE(error);
    INFO(error->text());
    CHECK(error->fault() == Fault::Timeout);
    CHECK_THAT(error->text(), Contains("does not follow") && Contains("taken back") &&
                                  Contains("go on with: setup standby"));
    CHECK(pair.standby.value("select count(*) from mine") == "0");
    CHECK(pair.standby.value("select pg_is_in_recovery()") == "f");
    CHECK(read_file(pair.standby.config() + "/postgresql.conf", 1U << 20) == conf);
    CHECK(old_copies(pair.standby) == 0);
    CHECK(read_file(key, 64) == "the guide's");
    CHECK_FALSE(fs::exists(pair.standby.dir() / "pki/server.crt"));
    pair.primary.start();
    pair.standby_setup.stream_limit = std::chrono::seconds(60);
    CHECK(pair.setup_standby());
    CHECK(pair.row_arrives("one"));
    CHECK(read_file(key + ".before-xroad-companion", 64) == "the guide's");
    CHECK(read_file(key, 4096) == pair.standby_setup.bundle.key);
  }
}

TEST_CASE("setup: a standby that has fallen behind for good is taken anew on demand",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary_setup.plan.wal_limit = "16MB";
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  pair.standby.stop();
  pair.primary.append("postgresql.conf", "wal_keep_size = 0\nmax_wal_size = 32MB\n");
  for (int i = 0; i < 5; ++i) {
    pair.primary.sql("select pg_switch_wal(); checkpoint; create table t" + std::to_string(i) +
                     " as select generate_series(1, 200000) i");
  }
  CHECK(
      pair.primary.says("select pg_reload_conf(); checkpoint; select pg_switch_wal(); checkpoint; "
                        "select wal_status from pg_replication_slots",
                        "t"));
  pair.primary.sql("checkpoint");
  CHECK(pair.primary.says("select wal_status from pg_replication_slots", "lost"));
  const auto lost = thrown_by([&] { pair.setup_standby(); });
  REQUIRE(lost);
  CHECK(exit_code(lost->fault()) == 25);
  CHECK_THAT(lost->text(), Contains("the primary's slot 'ss2' has lost WAL") &&
                               Contains("`setup primary` there once more") &&
                               Contains("--reclone"));
  CHECK_FALSE(pair.standby.running());
  for (int i = 0; i < 3; ++i) {
    pair.primary.sql("create table gone" + std::to_string(i) + " (i int)");
    pair.primary.sql("select pg_switch_wal()");
    pair.primary.sql("checkpoint");
  }
  // The primary makes its slot anew; what the standby needs is gone all the same.
  CHECK(pair.setup_primary());
  CHECK(pair.primary.value("select wal_status from pg_replication_slots") != "lost");
  pair.standby_setup.stream_limit = std::chrono::seconds(3);
  const auto error = thrown_by([&] { pair.setup_standby(); });
  REQUIRE(error);
  INFO(error->text());
  CHECK(error->fault() == Fault::Timeout);
  CHECK_THAT(error->text(), Contains("does not follow") && Contains("has already been removed") &&
                                Contains("take a fresh copy with --reclone"));
  pair.standby_setup.reclone = true;
  pair.standby_setup.stream_limit = std::chrono::seconds(60);
  CHECK(pair.setup_standby());
  CHECK(pair.row_arrives("again"));
}

TEST_CASE("setup: a standby that works runs again when a change of it fails",
          "[replication][database]") {
  if (without_postgres()) return;
  for (const auto layout : {Node::Layout::InData, Node::Layout::Apart}) {
    Pair pair(Profile::Xroad, Node::Layout::InData, layout);
    pair.primary.start();
    REQUIRE(pair.setup_primary());
    REQUIRE(pair.setup_standby());
    const std::string listened = pair.standby.value("show listen_addresses");
    // Its configuration is newer than its start by whole seconds.
    const std::int64_t begin = wall_now();
    REQUIRE(eventually(std::chrono::seconds(10), [&] { return wall_now() > begin + 1; }));

    pair.standby_setup.listen = "localhost";
    pair.standby_setup.stream_limit = std::chrono::seconds(1);
    const auto error = thrown_by([&] {
      plan_standby(pair.standby_setup, pair.clock, pair.wall()).run([&](std::string_view text) {
        pair.said += text;
        if (text.find("start the server: ") != std::string_view::npos) pair.primary.stop();
      });
    });
    INFO(pair.said);
    REQUIRE(error);
    CHECK(exit_code(error->fault()) == 30);
    CHECK(pair.standby.running());
    CHECK(pair.standby.value("show listen_addresses") == listened);
    pair.primary.start();
    CHECK(pair.row_arrives("after"));
  }
}

TEST_CASE("setup: a standby that runs is taken anew on demand, also when its data is broken",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  REQUIRE(pair.row_arrives("one"));
  pair.standby_setup.reclone = true;
  CHECK(pair.setup_standby());
  CHECK(pair.row_arrives("two"));
  CHECK(old_copies(pair.standby) == 2);
  // Its server runs, and lets nobody in.
  std::filesystem::remove_all(pair.standby.data() + "/base");
  CHECK(pair.standby.running());
  CHECK(pair.setup_standby());
  CHECK(pair.row_arrives("three"));
  CHECK(old_copies(pair.standby) == 3);
  // A copy that cannot be taken leaves the standby as it was: it runs.
  pair.load_bundle();
  pair.standby_setup.copy_limit = std::chrono::milliseconds(1);
  const WorkPlan plan = plan_standby(pair.standby_setup, pair.clock, pair.wall());
  const auto error = thrown_by([&] { plan.run(pair.say()); });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("taken back"));
  CHECK(pair.row_arrives("four"));
  CHECK(old_copies(pair.standby) == 3);
}
