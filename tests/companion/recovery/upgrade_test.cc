// SPDX-License-Identifier: MIT
// docs/recovery.md: an upgrade of three nodes, and the things that happen in the middle of one.
#include "tests/companion/recovery/trio.h"
#include "tests/companion/recovery/walk.h"
#include "tests/support/catch.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

TEST_CASE("recovery: a rolling upgrade, and what can happen in it", "[recovery]") {
  if (const auto why = Lan::missing()) {
    WARN(*why);
    return;
  }
  Trio trio;
  Walk walk("A rolling upgrade", trio.all());
  walk.group("upgrade: secondaries", {"ss2", "ss3"});
  walk.group("upgrade: primary", {"ss1"});
  walk.group("upgrade: secondary", {"ss2", "ss3"});
  walk.block("upgrade prepare --keep-serving");
  const int before = write_rows(trio.ss1, "serverconf", 100);
  CHECK(trio.ss2.sql("select count(*) from written") == "0");
  walk.block("upgrade prepare --reason");
  walk.block("upgrade prepare");
  for (Machine* machine : trio.all()) CHECK(has_rows(*machine, "serverconf", before));

  // The shell was closed in the next one.
  trio.ss2.sh("xroad-companion upgrade prepare");
  const auto stands = walk.block("upgrade status");
  CHECK_THAT(stands.at(0).ran.out, Contains("prepared"));
  const int later = write_rows(trio.ss1, "serverconf", 100);
  walk.block("replication resume");
  CHECK(has_rows(trio.ss2, "serverconf", later));
  trio.ss2.sh("xroad-companion upgrade finish");

  // The primary is gone for good in the middle of it.
  trio.ss2.sh("xroad-companion upgrade prepare");
  trio.ss1.off();
  const Ran stuck = trio.ss2.type({"xroad-companion", "upgrade", "finish"});
  CHECK((stuck.code == 10 || stuck.code == 35));
  CHECK(trio.ss2.type({"xroad-companion", "check"}).code != 0);
  trio.ss2.sh("xroad-companion replication promote --fenced");
  trio.ss2.sh("sed -i s/type=.*/type=master/ /etc/xroad/conf.d/node.ini");
  CHECK_THAT(walk.block("upgrade finish").at(0).ran.out, Contains("and it stays paused"));
  walk.done();
  CHECK(Trio::works(trio.ss2));
  CHECK(write_rows(trio.ss2, "serverconf", 1) == later + 1);
}
