// SPDX-License-Identifier: MIT
// `replication promote`: the next command that it prints is one that can be typed.
#include "base/io.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

TEST_CASE("promote words: the node goes by its certificate, which nobody here can make again",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary_setup.standbys = {{"ss2", {"db.example.org", "localhost"}}};
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  pair.primary.stop();
  PromoteOrder order = order_for(pair.standby);
  order.roots = pair.standby.roots();
  const std::string said = promoted(order);
  INFO(said);
  const std::string pki = pair.standby.dir() / "pki";
  CHECK_THAT(said, Contains("setup primary --name ss2 --host ") &&
                       Contains("--host db.example.org") && Contains("--host localhost") &&
                       Contains(" --ca " + pki + "/ca.crt --cert " + pki + "/server.crt --key " +
                                pki + "/server.key --standby NAME"));
  CHECK_THAT(said, Contains("rejoin --primary 'host=db.example.org port=" +
                            std::to_string(pair.standby.port())));

  // What it says, typed.
  pair.primary_setup.cluster = pair.standby.choice();
  pair.primary_setup.roots = pair.standby.roots();
  pair.primary_setup.pki = pki;
  pair.primary_setup.name = "ss2";
  pair.primary_setup.hosts = {"db.example.org", "localhost"};
  pair.primary_setup.standbys = {{"ss1", {"localhost"}}};
  pair.primary_setup.given = {pki + "/ca.crt", pki + "/server.crt", pki + "/server.key"};
  CHECK(pair.setup_primary());

  // Another name, and nothing is advised that this node could not undo.
  pair.primary_setup.given = {};
  pair.primary_setup.name = "ss2.example.org";
  pair.primary_setup.standbys.clear();
  const auto error = thrown_by([&] { pair.setup_primary(); });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("common name is 'ss2', not 'ss2.example.org'") &&
                                Contains("give --ca, --cert and --key") &&
                                !Contains("have new ones made"));
}
