// SPDX-License-Identifier: MIT
#include "companion/replication/copy_place.h"

#include <filesystem>

#include "companion/replication/cluster_tools.h"
#include "tests/companion/replication/node.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_CASE("stop: a server that was started outside its unit is stopped all the same",
          "[replication]") {
  if (const auto why = Postgres::missing()) {
    WARN(*why);
    return;
  }
  SteadyClock clock;
  const Node node;
  node.start();
  Cluster cluster = node.cluster();
  cluster.starter = Starter::Systemd;
  cluster.service = "xroad-companion-test";
  // As `systemctl stop` of a unit that is not active, and of one that nobody knows.
  for (const char* program : {"/bin/true", "/bin/false"}) {
    CAPTURE(program);
    cluster.systemctl = program;
    if (!node.running()) node.start();
    stop_server(cluster, clock);
    CHECK_FALSE(find_server(cluster));
    CHECK(read_control(cluster, cluster.data, clock).stopped_cleanly());
  }
}

TEST_CASE("copy: a data directory that a server runs on stays where it is", "[replication]") {
  if (const auto why = Postgres::missing()) {
    WARN(*why);
    return;
  }
  const Node node;
  node.start();
  const CopyPlace place(node.cluster());
  place.make_room();
  fs::create_directory(place.copy());
  give_to_postgres(place.copy());
  const auto error = thrown_by([&] { place.put_in_place(node.data() + ".old-1"); });
  REQUIRE(error);
  CHECK(exit_code(error->fault()) == 25);
  CHECK_THAT(error->text(), Contains("a server runs on '" + node.data() + "'"));
  CHECK(fs::exists(node.data() + "/PG_VERSION"));
  CHECK(fs::exists(place.copy()));
  CHECK_FALSE(place.swapped());
  CHECK(node.value("select 1") == "1");

  node.stop();
  place.put_in_place(node.data() + ".old-1");
  CHECK(fs::exists(node.data() + ".old-1/PG_VERSION"));
  place.put_back();
  CHECK(fs::exists(node.data() + "/PG_VERSION"));
}
