// SPDX-License-Identifier: MIT
// A server whose words about its own places are not ours: it was told of them over a link, or says
// something else first.
#include <filesystem>

#include "companion/replication/server_state.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_CASE("linked data: a server that was started over a link is the one of this directory",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad, Node::Layout::Apart);
  const Node& node = pair.primary;
  fs::create_directory_symlink(node.dir() / "lib", node.dir() / "link");
  node.append("postgresql.conf", "data_directory = '" + (node.dir() / "link/data") + "'\n");
  node.start();
  CHECK_THAT(node.value("show data_directory"), Contains("/link/data"));
  CHECK(pair.setup_primary());
  CHECK_FALSE(pair.setup_primary());
  CHECK(pair.setup_standby());
  CHECK(pair.row_arrives("one"));
}

TEST_CASE("linked data: what the server logs is no value of a setting", "[replication][database]") {
  if (without_postgres()) return;
  const Node node;
  SteadyClock clock;
  node.append("postgresql.conf",
              "include_if_exists = 'nowhere.conf'\nprimary_conninfo = 'host=one  port=1'\n");
  fs::remove(node.data() + "/postgresql.auto.conf");
  CHECK(configured(node.cluster(), "primary_conninfo", clock) == "host=one  port=1");
  CHECK(configured(node.cluster(), "synchronous_standby_names", clock).empty());
}
