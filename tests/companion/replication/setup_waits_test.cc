// SPDX-License-Identifier: MIT
// `replication setup primary --profile synchronous`: whom commits wait for afterwards, whatever
// other lines, of a person or of `promote`, said before.
#include <fstream>

#include "base/io.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

std::string names(const Pair& pair) { return pair.primary.value("show synchronous_standby_names"); }

std::string text_of(const std::string& path) { return read_file(path, 1U << 20); }

}  // namespace

TEST_CASE("setup waits: the empty list that promote leaves behind is taken out",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Synchronous);
  pair.primary.start();
  pair.primary.sql("alter system set synchronous_standby_names = ''");
  pair.primary.sql("select pg_reload_conf()");
  pair.setup_primary();
  pair.setup_standby();
  CHECK_THAT(pair.dry_primary(), Contains("SQL alter system reset synchronous_standby_names"));
  CHECK(pair.setup_primary());
  CHECK(names(pair) == "ANY 1 (\"ss2\")");
  CHECK(pair.primary.says("select sync_state from pg_stat_replication", "quorum"));
  CHECK_THAT(text_of(pair.primary.data() + "/postgresql.auto.conf"),
             !Contains("synchronous_standby_names"));
  CHECK_FALSE(pair.setup_primary());
}

TEST_CASE("setup waits: it is not done while another line decides that nothing waits",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Synchronous);
  pair.primary.start();
  pair.setup_primary();
  pair.setup_standby();
  pair.primary.append("postgresql.conf", "include 'behind.conf'\n");
  pair.primary.append("behind.conf", "synchronous_standby_names = ''\n");
  give_to_postgres(pair.primary.config() + "/behind.conf");
  pair.primary.sql("select pg_reload_conf()");
  const std::string before = text_of(pair.primary.config() + "/postgresql.conf");
  const auto error = thrown_by([&] { pair.setup_primary(); });
  REQUIRE(error);
  INFO(error->text());
  CHECK(error->fault() == Fault::Refused);
  CHECK_THAT(error->text(), Contains("behind.conf:1") && Contains("take that line out"));
  CHECK(text_of(pair.primary.config() + "/postgresql.conf") == before);
  std::ofstream(pair.primary.config() + "/behind.conf") << "";
  CHECK(pair.setup_primary());
  CHECK(names(pair) == "ANY 1 (\"ss2\")");
}
