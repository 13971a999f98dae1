// SPDX-License-Identifier: MIT
// docs/recovery.md: the primary loses its database, or everything.
#include "tests/companion/recovery/trio.h"
#include "tests/companion/recovery/walk.h"
#include "tests/support/catch.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

constexpr int kRefused = 25;

}  // namespace

TEST_CASE("recovery: the primary's database", "[recovery]") {
  if (const auto why = Lan::missing()) {
    WARN(*why);
    return;
  }
  Trio trio;
  const int before = write_rows(trio.ss1, "serverconf", 1000);
  REQUIRE(has_rows(trio.ss2, "serverconf", before));
  REQUIRE(has_rows(trio.ss3, "serverconf", before));

  // Its disk hangs: connections are taken, and nobody answers. So --fenced is needed.
  trio.ss1.signal_database(SIGSTOP);
  Walk walk("The database of the primary", trio.all());
  const auto seen = walk.block("replication status --no-primary");
  CHECK_THAT(seen.at(0).ran.out, Contains("received") && Contains("replayed"));
  const auto refused = walk.block("replication promote --dry-run", {{0, kRefused}, {1, kRefused}});
  for (const Typed& one : refused) {
    CHECK_THAT(one.ran.err, Contains("takes connections and does not answer") &&
                                Contains("say so with --fenced") &&
                                Contains("Nothing has been changed"));
  }
  const auto promoted = walk.block("replication promote --fenced");
  CHECK_THAT(promoted.at(0).ran.out, Contains("Going on, because you say that it is fenced") &&
                                         Contains("This node is the primary now: timeline 2"));
  // As we said: it never comes to itself again.
  trio.ss1.signal_database(SIGKILL);
  CHECK(write_rows(trio.ss2, "serverconf", 500) == before + 500);

  const auto open = walk.block("setup primary --standby ss1 --standby ss3");
  CHECK_THAT(open.at(0).ran.out, Contains("make the replication slot ss1: done"));
  const auto third = walk.block("replication rejoin --primary ss2");
  CHECK_THAT(third.at(0).ran.out, Contains("this was a dry run"));
  CHECK_THAT(third.at(1).ran.out, Contains("is a standby of ss2:5433 now"));
  CHECK(has_rows(trio.ss3, "serverconf", before + 500));
  const auto old = walk.block("replication rejoin --primary ss2");
  CHECK_THAT(old.at(1).ran.out, Contains("is a standby of ss2:5433 now"));
  CHECK(has_rows(trio.ss1, "serverconf", before + 500));
  CHECK(trio.ss1.sql("select pg_is_in_recovery()") == "t");
  walk.done();
  CHECK(write_rows(trio.ss2, "serverconf", 1) == before + 501);
  for (Machine* machine : trio.all()) CHECK(has_rows(*machine, "serverconf", before + 501));
}

TEST_CASE("recovery: the primary", "[recovery]") {
  if (const auto why = Lan::missing()) {
    WARN(*why);
    return;
  }
  Trio trio;
  const int before = write_rows(trio.ss1, "serverconf", 1000);
  REQUIRE(has_rows(trio.ss2, "serverconf", before));
  REQUIRE(has_rows(trio.ss3, "serverconf", before));
  trio.ss1.off();

  // Steps 1 to 4 of the chapter before; its fifth is for an old primary that is still there.
  Walk database("The database of the primary", {&trio.ss2, &trio.ss3});
  database.block("replication status --no-primary");
  const auto refused =
      database.block("replication promote --dry-run", {{0, kRefused}, {1, kRefused}});
  CHECK_THAT(refused.at(1).ran.err, Contains("nothing answers at the old primary"));
  database.block("replication promote --fenced");
  database.block("setup primary --standby ss1 --standby ss3");
  database.block("replication rejoin --primary ss2");
  CHECK(has_rows(trio.ss3, "serverconf", before));

  Walk walk("The primary", {&trio.ss2, &trio.ss3});
  const auto paused = walk.block("xroad-sync status");
  CHECK_THAT(paused.at(0).ran.out, Contains("last sync"));
  CHECK_THAT(trio.ss2.sh("cat /run/systemctl.log"), Contains("disable --now xroad-sync.timer"));
  trio.ss2.sh("sed -i s/slave/master/ /etc/xroad/conf.d/node.ini");
  carry(trio.ss3, "/root/ss3.pub", trio.ss2, "/root");
  const auto restarted = walk.block("systemctl restart xroad-companion", {{3, 0}});
  CHECK_THAT(restarted.at(2).ran.out, Contains("a primary (type=master") &&
                                          Contains("✓  database role") && Contains("✓  sync keys"));
  CHECK_THAT(restarted.at(3).ran.out, Contains("role primary"));
  // What is changed on it from now on reaches the others.
  trio.ss2.sh(
      "echo '[proxy]' >/etc/xroad/conf.d/new.ini; chown xroad:xroad /etc/xroad/conf.d/new.ini");
  Trio::sync_from(trio.ss3, "ss2");
  const auto synced = walk.block("xroad-sync trust ss2");
  walk.done();
  CHECK(trio.ss3.sh("cat /etc/xroad/conf.d/new.ini") == "[proxy]\n");
  CHECK_THAT(trio.ss3.sh("cat /etc/xroad/conf.d/node.ini"), Contains("type=slave"));
  CHECK(write_rows(trio.ss2, "serverconf", 500) == before + 500);
  CHECK(has_rows(trio.ss3, "serverconf", before + 500));
  CHECK(Trio::works(trio.ss3));
}

TEST_CASE("recovery: all databases", "[recovery]") {
  if (const auto why = Lan::missing()) {
    WARN(*why);
    return;
  }
  Trio trio;
  const int before = write_rows(trio.ss1, "serverconf", 1000);
  back_up(trio.ss1, "serverconf", "/root/backup");
  write_rows(trio.ss1, "serverconf", 10);  // nobody has these any more
  for (Machine* machine : trio.all()) machine->signal_database(SIGKILL);
  // SS2 has nothing left, SS3 has its old data.
  trio.ss1.new_database();
  trio.ss2.sh("rm -r /var/lib/postgresql/*/serverconf");
  trio.ss1.start_database();
  restore(trio.ss1, "serverconf", "/root/backup");
  trio.ss3.start_database();

  Walk walk("All databases", trio.all());
  const auto primary = walk.block("setup primary --standby ss2 --standby ss3");
  CHECK_THAT(primary.at(0).ran.out,
             Contains("write /etc/xroad/postgresql/bundles/ss3/standby.ini: done\n") &&
                 Contains("make the replication slot ss2: done\n"));
  for (Machine* machine : {&trio.ss2, &trio.ss3}) {
    machine->sh("rm -r /root/" + machine->name());
    carry(trio.ss1, "/etc/xroad/postgresql/bundles/" + machine->name(), *machine, "/root");
  }
  walk.block("setup standby --bundle /root/ss2 --replace-data");
  walk.block("setup standby --bundle /root/ss3 --replace-data");
  walk.done();
  CHECK_THAT(trio.ss3.sh("ls /var/lib/postgresql/*"), Contains("serverconf.old-"));
  CHECK(write_rows(trio.ss1, "serverconf", 1) == before + 1);
  for (Machine* machine : trio.all()) {
    CHECK(has_rows(*machine, "serverconf", before + 1));
    CHECK(Trio::works(*machine));
  }
}
