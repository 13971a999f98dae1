// SPDX-License-Identifier: MIT
// The questions of every server version, as golden files: written anew with XS_UPDATE_GOLDEN=1, and
// then read by somebody who has that version's manual open.
#include <cstdlib>
#include <fstream>

#include "base/io.h"
#include "companion/replication/control.h"
#include "companion/replication/versions.h"
#include "tests/support/catch.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::thrown_by;

namespace {

std::string all(const ReplicationSql& sql) {
  std::string text;
  for (const std::string& one :
       {sql.node, sql.standbys, sql.slots, sql.receiver, sql.progress, sql.pause, sql.resume}) {
    text += one + ";\n";
  }
  return text;
}

}  // namespace

TEST_CASE("replication sql: every server version is asked in its own words", "[companion]") {
  const int version = GENERATE(90'200, 90'400, 90'500, 90'600, 100'000, 110'000, 120'000, 130'000,
                               140'000, 160'000);
  const std::string path = std::string(XS_SOURCE_DIR) + "/tests/golden/replication_sql/" +
                           std::to_string(version) + ".sql";
  const std::string text = all(replication_sql(version));
  if (std::getenv("XS_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  CHECK(read_file(path, 1U << 20) == text);
}

TEST_CASE("replication sql: no name of the old world reaches a new server", "[companion]") {
  const int version = GENERATE(100'000, 130'000, 150'000, 180'000);
  CHECK_THAT(all(replication_sql(version)), !Contains("xlog") && !Contains("_location"));
  CHECK_THAT(all(replication_sql(90'624)), !Contains("last_wal") && !Contains("walfile") &&
                                               !Contains("current_wal") && !Contains("sent_lsn"));
}

TEST_CASE("replication sql: a minor version is asked as its major version", "[companion]") {
  CHECK(all(replication_sql(150'018)) == all(replication_sql(140'000)));
  CHECK(all(replication_sql(90'224)) == all(replication_sql(90'200)));
  CHECK(thrown_by([] { replication_sql(90'124); })->fault() == Fault::Unsupported);
}

TEST_CASE("replication: before 14 a pause is believed when the position stays", "[companion]") {
  using namespace std::chrono_literals;
  const auto now = [](const char* pause, std::uint64_t received, std::uint64_t replayed) {
    ReplayProgress progress;
    progress.pause = pause;
    progress.received = received;
    progress.replayed = replayed;
    return progress;
  };
  const Instant begin{};
  Standstill told(140'000);
  CHECK_FALSE(told.stands(now("pause requested", 9, 5), begin));
  CHECK(told.stands(now("paused", 9, 5), begin));
  CHECK(told.seen());

  Standstill watched(130'000);
  CHECK_FALSE(watched.stands(now("paused", 9, 5), begin));
  CHECK_FALSE(watched.stands(now("paused", 9, 6), begin + 2s));  // it moved
  CHECK_FALSE(watched.stands(now("paused", 9, 6), begin + 2s + 500ms));
  CHECK(watched.stands(now("paused", 9, 6), begin + 3s));
  CHECK(watched.seen());

  Standstill idle(120'000);
  CHECK_FALSE(idle.stands(now("paused", 6, 6), begin));
  CHECK(idle.stands(now("paused", 6, 6), begin + 1s));
  CHECK_FALSE(idle.seen());
}
