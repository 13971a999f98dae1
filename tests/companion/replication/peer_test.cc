// SPDX-License-Identifier: MIT
// PostgreSQL's peer login, as distributions have it on the socket: it asks for the account, and
// root is not the cluster's owner.
#include <unistd.h>

#include <fstream>

#include "tests/companion/replication/at_node.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

TEST_CASE("peer: root asks and changes a cluster that lets nobody but its owner in",
          "[replication]") {
  if (without_postgres()) return;
  if (::geteuid() != 0) {
    WARN("skipped: only root can be another account than the cluster's");
    return;
  }
  Pair pair(Profile::Xroad);
  const Node& node = pair.primary;
  std::ofstream(node.config() + "/pg_hba.conf", std::ios::trunc) << "local all all peer\n";
  node.start();
  CHECK_THROWS_WITH(node.value("select 1"), Contains("Peer authentication failed"));

  const Outcome status = ask_at(node, {"status"});
  CHECK(status.end == kCleanEnd);
  CHECK_THAT(status.out, Contains("primary at "));
  CHECK_THAT(ask_at(node, {"pause"}).end, Contains("is a primary") && Contains("status 46"));
  // There is no such account to be.
  CHECK_THAT(ask_at(node, {"status", "--user", "no-such-account"}).end,
             Contains("Peer authentication failed") && Contains("status 42"));
  CHECK(pair.setup_primary());
  CHECK_FALSE(pair.setup_primary());
  CHECK(::geteuid() == 0);
  CHECK(::getegid() == 0);
}
