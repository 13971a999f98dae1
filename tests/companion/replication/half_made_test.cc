// SPDX-License-Identifier: MIT
// Directories that a killed run has left half made: there, and not yet their owner's.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "companion/replication/copy_place.h"
#include "companion/replication/rewind.h"
#include "tests/companion/replication/deaths.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

unsigned mode_of(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_mode & 07777U : 0;
}

uid_t owner_of(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_uid : static_cast<uid_t>(-1);
}

}  // namespace

TEST_CASE("setup: killed while it makes a directory, the next run gives it its owner",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad);
  pair.primary.start();
  const uid_t owner = pair.primary.cluster().user.uid;
  // In a directory of ours, as /etc/xroad is of somebody else than PostgreSQL.
  const TempDir etc;
  REQUIRE(::chmod(etc.path().c_str(), 0755) == 0);
  const std::string pki = pair.primary_setup.pki = etc / "pki";
  for (const long call : {SYS_fchown, SYS_fchmod}) {
    CAPTURE(call);
    REQUIRE(dies_at_call(call, [&] {
      plan_primary(pair.primary_setup, pair.clock, pair.wall()).run([](std::string_view) {});
    }));
    CHECK(mode_of(pki) == 01700U);
  }
  CHECK_THAT(pair.dry_primary(), Contains("install -d -m 0755"));
  CHECK(pair.setup_primary());
  CHECK(mode_of(pki) == 0755U);
  CHECK(owner_of(pki) == owner);
  CHECK_FALSE(pair.setup_primary());

  // Beside a data directory in one of root's.
  const TempDir lib;
  REQUIRE(::chmod(lib.path().c_str(), 0755) == 0);
  Cluster cluster = pair.standby.cluster();
  cluster.data = lib / "data";
  const CopyPlace copy(cluster);
  REQUIRE(dies_at_call(SYS_fchown, [&] { copy.make_room(); }));
  copy.make_room();
  CHECK(owner_of(copy.directory()) == owner);
  CHECK(mode_of(copy.directory()) == 0700U);
  const std::string rewind = cluster.data + ".xroad-rejoin";
  REQUIRE(dies_at_call(SYS_fchown, [&] { RewindPlace(cluster).hold(); }));
  RewindPlace(cluster).hold();
  CHECK(owner_of(rewind) == owner);
  CHECK(mode_of(rewind) == 0700U);
}
