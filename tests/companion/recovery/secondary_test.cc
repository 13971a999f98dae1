// SPDX-License-Identifier: MIT
// docs/recovery.md: a secondary loses its database, and then everything.
#include "tests/companion/recovery/trio.h"
#include "tests/companion/recovery/walk.h"
#include "tests/support/catch.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

TEST_CASE("recovery: a secondary's database, then the secondary", "[recovery]") {
  if (const auto why = Lan::missing()) {
    WARN(*why);
    return;
  }
  Trio trio;
  Walk look("Recovery, fail-over and upgrade", trio.all());
  const auto seen = look.block("xroad-companion status");
  CHECK_THAT(seen.at(1).ran.out, Contains("ss3") && Contains("streaming"));
  CHECK_THAT(seen.at(4).ran.out, Contains("standby at") && Contains("slot ss2"));
  CHECK_THAT(seen.at(8).ran.out, Contains("ok  ss3 <- xroad-slave@ss1"));
  look.done();

  const int before = write_rows(trio.ss1, "serverconf", 1000);
  REQUIRE(has_rows(trio.ss2, "serverconf", before));
  Walk maintenance("Which case is it?", trio.all());
  const auto toggled = maintenance.block("xroad-companion maintenance on");
  CHECK_THAT(toggled.at(0).ran.out, Contains("false => true"));
  maintenance.done();

  // Its server runs on in the ruins, and nobody can log in.
  trio.ss2.sh("rm -r /var/lib/postgresql/*/serverconf/base");
  Walk database("The database of a secondary", trio.all());
  const auto taken = database.block("setup standby --bundle /root/ss2");
  CHECK_THAT(taken.at(0).ran.out, Contains("pg_basebackup"));  // the dry run
  CHECK_THAT(taken.at(2).ran.out, Contains("replayed up to"));
  CHECK(has_rows(trio.ss2, "serverconf", before));
  CHECK_THAT(trio.ss2.sh("ls /var/lib/postgresql/*"), Contains("serverconf.old-"));
  CHECK(Trio::works(trio.ss2));
  trio.ss1.sh("rm -r /etc/xroad/postgresql/bundles/ss2");
  const auto again = database.block("setup primary --standby ss2");
  CHECK_THAT(again.at(0).ran.out,
             Contains("make the certificate of ss2: done\n") &&
                 Contains("make the role ss2, which may replicate: done already"));
  database.done();

  // The node is gone with all that it had; another one gets its name.
  trio.ss2.off();
  const int later = write_rows(trio.ss1, "serverconf", 1000);
  Machine fresh(trio.lan, {.name = "ss2"});
  fresh.ready();
  fresh.start_database();
  fresh.sh("systemctl start xroad-companion");
  Trio::make_key(fresh, trio.ss1);
  Trio::sync_from(fresh, "ss1");
  Walk node("A secondary", trio.all());
  node.replace(fresh);
  node.block("setup primary --standby ss2");
  carry(trio.ss1, "/etc/xroad/postgresql/bundles/ss2", fresh, "/root");
  CHECK(fresh.type({"xroad-companion", "check"}).code != 0);  // it has no serverconf
  const auto joined = node.block("setup standby --bundle /root/ss2");
  CHECK_THAT(joined.at(2).ran.out, Contains("Trust them from now on?"));
  CHECK_THAT(joined.at(4).ran.out, Contains("✓  database role") &&
                                       Contains("✓  replication keys") &&
                                       Contains("✓  connection"));
  CHECK(has_rows(fresh, "serverconf", later));
  CHECK(fresh.sh("cat /etc/xroad/signer/keyconf.xml") == "<keyConf/>\n");
  REQUIRE(Trio::works(fresh));
  node.block("xroad-companion check");
  node.done();
}

TEST_CASE("recovery: certificates that end", "[recovery]") {
  if (const auto why = Lan::missing()) {
    WARN(*why);
    return;
  }
  Trio trio;
  const int before = write_rows(trio.ss1, "serverconf", 10);
  const auto serial = [](const Machine& machine) {
    return machine.sh("openssl x509 -noout -serial -in /etc/xroad/postgresql/server.crt");
  };
  std::vector<std::string> old;
  for (Machine* machine : trio.all()) old.push_back(serial(*machine));
  Walk walk("Certificates that end", trio.all());
  const auto made = walk.block("mv /etc/xroad/postgresql/server.crt");
  CHECK_THAT(made.at(3).ran.out, Contains("make the certificate of ss1: done\n") &&
                                     Contains("make the certificate of ss3: done\n"));
  for (Machine* machine : {&trio.ss2, &trio.ss3}) {
    machine->sh("rm -r /root/" + machine->name());
    carry(trio.ss1, "/etc/xroad/postgresql/bundles/" + machine->name(), *machine, "/root");
  }
  walk.block("setup standby --bundle /root/ss2");
  walk.block("setup standby --bundle /root/ss3");
  walk.done();
  for (std::size_t i = 0; i < old.size(); ++i) CHECK(serial(*trio.all()[i]) != old[i]);
  CHECK(write_rows(trio.ss1, "serverconf", 10) == before + 10);
  // Also who is cut off once comes back, with the new one.
  trio.ss1.sql("select pg_terminate_backend(pid) from pg_stat_replication");
  write_rows(trio.ss1, "serverconf", 10);
  CHECK(has_rows(trio.ss2, "serverconf", before + 20));
  CHECK(has_rows(trio.ss3, "serverconf", before + 20));
}
