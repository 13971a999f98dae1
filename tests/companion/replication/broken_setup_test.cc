// SPDX-License-Identifier: MIT
// `replication setup` broken off from outside: the primary killed while it is copied, the program
// killed while it copies, a disk that is too small, rights that somebody took back.
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <future>

#include "base/io.h"
#include "companion/replication/owned_file.h"
#include "tests/companion/replication/deaths.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/companion/replication/pair.h"
#include "tests/companion/replication/small_disk.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/relay.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

// Of a copy that is being taken; files come and go meanwhile.
std::uint64_t bytes_below(const std::string& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (entry->is_regular_file(gone)) bytes += entry->file_size(gone);
  }
  return bytes;
}

// The old server of a node whose set-up has failed.
void check_untouched(const Node& node) {
  CHECK(node.value("select pg_is_in_recovery()") == "f");
  node.sql("insert into mine values (1)");
  for (const auto& entry : fs::directory_iterator(node.dir() / "lib")) {
    CHECK(entry.path().filename().string().find("data.old-") == std::string::npos);
  }
}

ino_t inode_of(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_ino : 0;
}

}  // namespace

TEST_CASE("setup: broken off in the middle of the copy it leaves the old server as it was",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad, Node::Layout::InData, Node::Layout::InData);
  pair.primary.start();
  pair.standby.start();
  pair.standby.sql("create table mine (i int)");
  pair.setup_primary();
  pair.load_bundle();
  const std::uint16_t port = pair.standby_setup.bundle.standby.port;
  const std::string place = pair.standby.data() + ".xroad-companion";
  RelayPlan slow;
  slow.stall_after = 4U << 20;
  auto relay = std::make_unique<Relay>(port, slow);
  pair.standby_setup.bundle.standby.port = relay->port();
  ino_t left = 0;  // by the run before
  const auto copying = [&] {
    return inode_of(place + "/new") != left && bytes_below(place + "/new") > (1U << 20);
  };
  const auto run = [&] {
    plan_standby(pair.standby_setup, pair.clock, pair.wall()).run([](std::string_view) {});
  };

  // The program: its pg_basebackup does not go on without it.
  REQUIRE(dies_when(copying, run));
  check_untouched(pair.standby);
  CHECK(bytes_below(place) > (1U << 20));
  const Fd kept = open_file(place + "/new", O_PATH);  // so that its number is not given away
  left = inode_of(place + "/new");
  relay = std::make_unique<Relay>(port, slow);
  pair.standby_setup.bundle.standby.port = relay->port();
  CHECK(pair.primary.says("select count(*) from pg_stat_replication", "0"));

  // The primary.
  auto fails = std::async(std::launch::async, [&] { return thrown_by(run); });
  REQUIRE(eventually(60s, copying));
  kill_server(pair.primary);
  relay.reset();
  const auto error = fails.get();
  REQUIRE(error);
  CAPTURE(error->text());
  CHECK(exit_code(error->fault()) == 44);
  CHECK_THAT(error->text(), Contains("pg_basebackup ended with status 1") &&
                                Contains("go on with: setup standby"));
  CHECK_THAT(error->text(), !Contains("\n"));
  check_untouched(pair.standby);
  CHECK_FALSE(path_exists(place));

  pair.primary.start();
  CHECK(pair.setup_standby());
  CHECK(pair.row_arrives("one"));
}

TEST_CASE("setup: a disk that is too small for the copy costs nothing", "[replication][database]") {
  if (without_postgres()) return;
  if (const auto why = SmallDisk::missing()) {
    WARN(*why);
    return;
  }
  Pair pair(Profile::Xroad, Node::Layout::InData, Node::Layout::InData);
  SmallDisk disk(192);
  const Node small;
  disk.elsewhere();
  pair.primary.start();
  small.start();
  small.sql("create table mine (i int)");
  pair.setup_primary();
  pair.load_bundle();
  StandbySetup& setup = pair.standby_setup;
  setup.cluster = small.choice();
  setup.roots = nowhere(small.dir());
  setup.pki = small.dir() / "pki";
  const std::string place = small.data() + ".xroad-companion";
  const auto run = [&] { plan_standby(setup, pair.clock, pair.wall()).run(pair.say()); };
  const auto check_refused = [&] {
    setup.room = nullptr;
    const auto error = thrown_by(run);
    REQUIRE(error);
    CHECK(exit_code(error->fault()) == 25);
    CHECK_THAT(error->text(), Contains("no room in '" + (small.dir() / "lib") + "'") &&
                                  Contains(" MB are free") && !Contains("\n"));
    CHECK_FALSE(path_exists(place));
  };
  // What is written elsewhere meanwhile may fill a disk that had room before.
  const auto check_full = [&] {
    setup.room = [](const std::string&) { return std::uint64_t{1} << 40U; };
    const auto error = thrown_by(run);
    REQUIRE(error);
    CAPTURE(error->text());
    CHECK(exit_code(error->fault()) == 44);
    CHECK_THAT(error->text(), Contains("No space left on device") && !Contains("\n"));
    CHECK_FALSE(path_exists(place));
  };
  check_refused();
  CHECK_FALSE(path_exists(setup.pki));
  disk.fill(20);
  check_full();
  check_untouched(small);

  disk.empty();
  run();
  CHECK(small.value("select pg_is_in_recovery()") == "t");

  // A new copy of what is in place already.
  setup.reclone = true;
  check_refused();
  disk.fill(20);
  check_full();
  pair.primary.sql("create table after as select 1");
  CHECK(small.says("select count(*) from pg_class where relname = 'after'", "1"));
}

TEST_CASE("setup: what somebody took back by hand is given again", "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.start();
  CHECK(pair.setup_primary());
  const auto again = [&](const std::string& order, const std::string& question) {
    CAPTURE(order);
    const std::string before = pair.primary.value(question);
    pair.primary.sql(order);
    CHECK(pair.primary.value(question) != before);
    CHECK(pair.setup_primary());
    CHECK(pair.primary.value(question) == before);
    CHECK_FALSE(pair.setup_primary());
  };
  again("alter role ss2 noreplication",
        "select rolreplication from pg_roles where rolname = 'ss2'");
  again("alter role ss2 nologin", "select rolcanlogin from pg_roles where rolname = 'ss2'");
  again("alter role ss2 password 'x'",
        "select rolpassword is null from pg_authid where rolname = 'ss2'");
  again(
      "revoke execute on function pg_read_binary_file(text, bigint, bigint, boolean) from "
      "slavenode",
      "select has_function_privilege('slavenode', 'pg_read_binary_file(text, bigint, bigint, "
      "boolean)', 'execute')");
  again("select pg_drop_replication_slot('ss2')", "select count(*) from pg_replication_slots");

  // Whose role it is only the group tells, so that takes a word.
  const auto after_a_word = [&](const std::string& order, const std::string& word) {
    CAPTURE(order);
    pair.primary.sql(order);
    const auto error = thrown_by([&] { pair.setup_primary(); });
    REQUIRE(error);
    CHECK(exit_code(error->fault()) == 25);
    CHECK_THAT(error->text(), Contains("say that it is one: " + word));
    pair.primary.sql(word);
    pair.setup_primary();
    CHECK_FALSE(pair.setup_primary());
    CHECK(pair.primary.value("select pg_has_role('ss2', 'slavenode', 'member')") == "t");
  };
  after_a_word("revoke slavenode from ss2", "GRANT \"slavenode\" TO \"ss2\"");
  after_a_word("drop owned by slavenode; drop role slavenode",
               "CREATE ROLE \"slavenode\" NOLOGIN; GRANT \"slavenode\" TO \"ss2\"");
}
