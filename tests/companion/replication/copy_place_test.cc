// SPDX-License-Identifier: MIT
#include "companion/replication/copy_place.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "companion/replication/cluster_lock.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/plan.h"
#include "tests/companion/replication/node.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

constexpr const char* kOld = ".old-20260814T120000Z";

std::int64_t noon() { return 1786708800; }

// A data directory with a mark in it, as far as the renames look at one, and a copy beside it.
struct Places {
  TempDir dir;
  Cluster cluster;

  Places() {
    give_to_postgres(dir.path());
    cluster.data = cluster.config = dir / "data";
    cluster.owner = postgres_account();
    cluster.user = find_user(cluster.owner).value();
    make(cluster.data, "old");
  }
  static void make(const std::string& path, const std::string& mark) {
    fs::create_directory(path);
    std::ofstream(path + "/" + mark) << mark;
    give_to_postgres(path);
    give_to_postgres(path + "/" + mark);
  }
  CopyPlace place() const { return CopyPlace(cluster); }
  std::string aside() const { return cluster.data + kOld; }
  void swap() const {
    place().make_room();
    make(place().copy(), "new");
    place().note("prepared");
    place().put_in_place(noon);
    REQUIRE(fs::exists(cluster.data + "/new"));
    REQUIRE(fs::exists(aside() + "/old"));
  }
  void expect_refused(const std::function<void()>& what, const std::string& why) const {
    const auto error = thrown_by(what);
    REQUIRE(error);
    CHECK(exit_code(error->fault()) == 25);
    CHECK_THAT(error->text(), Contains(why));
  }
};

}  // namespace

TEST_CASE("copy: old data is never taken for a copy, whatever lies in its place by now",
          "[replication]") {
  if (without_postgres()) return;
  const Places places;
  places.swap();
  const CopyPlace place = places.place();
  // Killed between the exchange and the rename; then somebody mends the node by hand.
  fs::rename(places.aside(), place.copy());
  fs::rename(places.cluster.data, places.cluster.data + ".bad");
  Places::make(places.cluster.data, "by-hand");

  const std::string why = "is old data of a change that was broken off, and not the copy";
  places.expect_refused([&] { place.clear(); }, why);
  places.expect_refused([&] { place.make_room(); }, why);
  places.expect_refused([&] { place.put_in_place(noon); }, why);
  CHECK(fs::exists(place.copy() + "/old"));
  CHECK(fs::exists(places.cluster.data + "/by-hand"));

  fs::rename(place.copy(), places.dir / "moved-away");
  place.make_room();
  place.clear();
  CHECK(fs::exists(places.cluster.data + "/by-hand"));
}

TEST_CASE("copy: a swap that was cut short before its last rename gets it", "[replication]") {
  if (without_postgres()) return;
  const Places places;
  places.swap();
  const CopyPlace place = places.place();
  fs::rename(places.aside(), place.copy());
  places.expect_refused([&] { place.clear(); }, "is old data");
  SECTION("by the same verb") { place.put_in_place(wall_now); }
  SECTION("before another copy is taken") { place.make_room(); }
  CHECK(fs::exists(places.cluster.data + "/new"));
  CHECK(fs::exists(places.aside() + "/old"));
  place.clear();
  CHECK(fs::exists(places.aside() + "/old"));
}

TEST_CASE("copy: a second one in the same second keeps the old data of both", "[replication]") {
  if (without_postgres()) return;
  const Places places;
  places.swap();
  const CopyPlace place = places.place();
  for (const char* name : {"-2", "-3"}) {
    place.clear();
    place.make_room();
    Places::make(place.copy(), name);
    place.put_in_place(noon);
    CHECK(fs::exists(places.cluster.data + "/" + name));
    CHECK(fs::exists(places.aside() + "/old"));
  }
  CHECK(fs::exists(places.aside() + "-2/new"));
  CHECK(fs::exists(places.aside() + "-3/-2"));
  place.put_back();
  CHECK(fs::exists(places.cluster.data + "/-2"));
  CHECK_FALSE(fs::exists(places.aside() + "-3"));
}

TEST_CASE("copy: putting the old data back goes on where it was cut short", "[replication]") {
  if (without_postgres()) return;
  const Places places;
  places.swap();
  const CopyPlace place = places.place();
  place.forget("prepared");
  fs::rename(places.cluster.data, place.copy());  // the first of its two renames
  REQUIRE_FALSE(fs::exists(places.cluster.data));
  CHECK(place.put_back_begun());
  SECTION("by itself") { place.put_back(); }
  SECTION("before another copy is taken") { place.make_room(); }
  CHECK(fs::exists(places.cluster.data + "/old"));
  CHECK_FALSE(fs::exists(places.aside()));
  CHECK_FALSE(place.put_back_begun());
  place.clear();
  CHECK(fs::exists(places.cluster.data + "/old"));
}

TEST_CASE("copy: one that another verb, or another history, has left is taken anew",
          "[replication]") {
  if (without_postgres()) return;
  const Places places;
  const CopyPlace place = places.place();
  place.make_room();
  Places::make(place.copy(), "half");
  place.note("verified", "setup 7000 1");
  place.note("prepared", "setup 7000 1");
  CHECK(place.has("prepared"));
  CHECK(place.has("prepared", "setup 7000 1"));
  CHECK_FALSE(place.has("prepared", "rejoin 7000 1"));
  CHECK_FALSE(place.has("prepared", "setup 7000 2"));
  place.make_room();
  CHECK_FALSE(fs::exists(place.copy()));
  CHECK_FALSE(place.has("verified"));
  CHECK_FALSE(place.has("prepared"));
}

TEST_CASE("lock: one verb at a time", "[replication]") {
  if (without_postgres()) return;
  const Places places;
  const auto another = [&] { return thrown_by([&] { ClusterLock second(places.cluster); }); };
  {
    const ClusterLock lock(places.cluster);
    const auto error = another();
    REQUIRE(error);
    CHECK(exit_code(error->fault()) == 40);
    CHECK_THAT(error->text(), Contains("another setup, promote or rejoin is at work"));
    WorkPlan plan("again");
    plan.hold([&] { return std::make_shared<ClusterLock>(places.cluster); });
    plan.describe([](std::string_view) {});
    const auto run = thrown_by([&] { plan.run([](std::string_view) {}); });
    REQUIRE(run);
    CHECK(exit_code(run->fault()) == 40);
  }
  CHECK_FALSE(another());
}

TEST_CASE("stop: a server that was started outside its unit is stopped all the same",
          "[replication]") {
  if (without_postgres()) return;
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
  if (without_postgres()) return;
  const Node node;
  node.start();
  const CopyPlace place(node.cluster());
  place.make_room();
  fs::create_directory(place.copy());
  give_to_postgres(place.copy());
  const auto error = thrown_by([&] { place.put_in_place(noon); });
  REQUIRE(error);
  CHECK(exit_code(error->fault()) == 25);
  CHECK_THAT(error->text(), Contains("a server runs on '" + node.data() + "'"));
  CHECK(fs::exists(node.data() + "/PG_VERSION"));
  CHECK(fs::exists(place.copy()));
  CHECK_FALSE(place.swapped());
  CHECK(node.value("select 1") == "1");

  node.stop();
  place.put_in_place(noon);
  CHECK(fs::exists(node.data() + kOld + "/PG_VERSION"));
  place.put_back();
  CHECK(fs::exists(node.data() + "/PG_VERSION"));
}
