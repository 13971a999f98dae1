// SPDX-License-Identifier: MIT
// docs/recovery.md: a Central Server's database and a synchronous warm standby, each lost, promoted
// and taken back.
#include <memory>

#include "tests/companion/recovery/trio.h"
#include "tests/companion/recovery/walk.h"
#include "tests/support/catch.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

constexpr int kRefused = 25;
constexpr const char* kDatabase = "application";

// Two hosts of databases, each with an empty one, and the password that standbys log in with.
struct Couple {
  Couple()
      : db1(lan, {.name = "db1", .cluster = "main", .port = 5432}),
        db2(lan, {.name = "db2", .cluster = "main", .port = 5432}) {
    for (Machine* machine : {&db1, &db2}) {
      machine->ready();
      machine->start_database();
      machine->sh("umask 077; echo a-long-password >/root/standby.pw");
    }
  }
  void carry_bundle() const { carry(db1, "/etc/xroad/postgresql/bundles/db2", db2, "/root"); }
  // What an old master has to be given by hand.
  void write_passfile() const {
    db1.sh(
        "umask 077; echo 'db2:5432:*:db1:a-long-password' >/etc/xroad/postgresql/passfile; "
        "chown postgres:postgres /etc/xroad/postgresql/passfile");
  }

  Lan lan;
  Machine db1, db2;
};

void make_table(const Machine& machine) {
  machine.sql(std::string("create database ") + kDatabase, "postgres");
  machine.sql("create table written (id serial primary key)", kDatabase);
}

}  // namespace

TEST_CASE("recovery: a Central Server's databases", "[recovery]") {
  if (const auto why = Lan::missing()) {
    WARN(*why);
    return;
  }
  Couple hosts;
  // A replica of the database that was lost, with its old data.
  make_table(hosts.db2);
  make_table(hosts.db1);
  const int before = write_rows(hosts.db1, kDatabase, 1000);
  Walk walk("Central Server", {&hosts.db1, &hosts.db2});
  walk.block("setup primary --profile central-server");
  hosts.carry_bundle();
  walk.block("setup standby --bundle /root/db2");
  REQUIRE(has_rows(hosts.db2, kDatabase, before));
  CHECK_THAT(hosts.db2.sh("ls /var/lib/postgresql/*"), Contains("main.old-"));

  // Cut off, the master still takes writes, which nobody else will ever have. Only a person can
  // know that it is off then.
  hosts.db1.cut();
  write_rows(hosts.db1, kDatabase, 7);
  const auto refused = walk.block("replication promote --cluster main", {{0, kRefused}});
  CHECK_THAT(refused.at(0).ran.err, Contains("nothing answers at the old primary"));
  hosts.db1.signal_database(SIGKILL);
  const auto promoted = walk.block("replication promote --cluster main --fenced");
  CHECK_THAT(promoted.at(0).ran.out, Contains("Going on, because you say that it is fenced"));
  CHECK(write_rows(hosts.db2, kDatabase, 20) == before + 20);

  hosts.db1.plug();
  walk.block("setup primary --profile central-server");
  hosts.write_passfile();
  const auto back = walk.block("replication rejoin --cluster main", {{0, kRefused}});
  CHECK_THAT(back.at(0).ran.err, Contains("1 transaction(s)") && Contains("--discard 1") &&
                                     Contains("Nothing has been changed"));
  CHECK_THAT(back.at(1).ran.out, Contains("(pg_rewind): done"));
  walk.done();
  CHECK(has_rows(hosts.db1, kDatabase, before + 20));
  CHECK(hosts.db1.sql("select pg_is_in_recovery()", kDatabase) == "t");
}

TEST_CASE("recovery: a synchronous warm standby", "[recovery]") {
  if (const auto why = Lan::missing()) {
    WARN(*why);
    return;
  }
  Couple hosts;
  make_table(hosts.db1);
  // A write that waits for a standby is given up after these seconds; the row is there all the
  // same.
  const auto waits = [](const Machine& machine, const char* seconds = "30") {
    const Ran ran =
        machine.type({"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
                      "timeout", seconds, "psql", "-X", "-q", "-p", "5432", "-d", kDatabase, "-c",
                      "insert into written default values"});
    return ran.code == 124;
  };
  Walk walk("A synchronous warm standby", {&hosts.db1, &hosts.db2});
  const auto first = walk.block("setup primary --profile synchronous");
  CHECK_THAT(first.at(0).ran.out, Contains("WRITES STOP"));
  hosts.carry_bundle();
  const auto warm = walk.block("setup standby --bundle /root/db2");
  CHECK_THAT(warm.at(0).ran.out, Contains("This standby is warm"));
  CHECK(hosts.db1.sql("show synchronous_standby_names", kDatabase).empty());
  walk.block("setup primary --profile synchronous");
  CHECK(hosts.db1.sql("show synchronous_standby_names", kDatabase) == "ANY 1 (\"db2\")");
  const int before = write_rows(hosts.db1, kDatabase, 1000);
  hosts.db2.signal_database(SIGSTOP);
  CHECK(waits(hosts.db1, "1"));
  hosts.db2.signal_database(SIGCONT);

  hosts.db1.signal_database(SIGKILL);
  hosts.db1.cut();  // and switched off, as far as anybody can see
  walk.block("replication promote --cluster main", {{0, kRefused}});
  const auto promoted = walk.block("replication promote --cluster main --fenced");
  CHECK_THAT(promoted.at(0).ran.out, Contains("This node is the primary now: timeline 2"));
  // All that was acknowledged, and perhaps the row that was given up.
  const int after = std::stoi(hosts.db2.sql("select count(*) from written", kDatabase));
  CHECK((after == before || after == before + 1));
  CHECK_FALSE(waits(hosts.db2));

  hosts.db1.plug();
  walk.block("setup primary --profile synchronous");
  hosts.write_passfile();
  walk.block("replication rejoin --cluster main");
  CHECK_FALSE(waits(hosts.db2));
  walk.block("setup primary --profile synchronous");
  walk.done();
  CHECK(hosts.db2.sql("show synchronous_standby_names", kDatabase) == "ANY 1 (\"db1\")");
  CHECK_FALSE(waits(hosts.db2));
  hosts.db1.signal_database(SIGSTOP);
  CHECK(waits(hosts.db2, "1"));  // once more a write is safe on two hosts, or is not acknowledged
  hosts.db1.signal_database(SIGCONT);
}
