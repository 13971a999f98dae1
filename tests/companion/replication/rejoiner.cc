// SPDX-License-Identifier: MIT
#include "tests/companion/replication/rejoiner.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/clock.h"
#include "companion/wall.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace std::chrono_literals;
using Catch::Contains;

namespace xs::test {

namespace fs = std::filesystem;

RejoinOrder rejoin_order(const Node& node, const std::string& primary) {
  RejoinOrder order;
  order.cluster = node.choice();
  order.cluster.port = node.port();
  order.cluster.sockets = node.dir() / "run";
  order.roots = nowhere(node.dir());
  order.primary = primary;
  order.patience = 5s;
  order.stream_limit = 60s;
  order.discard = 5;  // as many as diverge() makes
  order.again = "rejoin again";
  return order;
}

std::string rejoined(const RejoinOrder& order) {
  SteadyClock clock;
  std::string said;
  rejoin(order, clock, &wall_now, [&](std::string_view text) { said += text; });
  return said;
}

void check_refused(const RejoinOrder& order, int code, const std::string& reason) {
  CAPTURE(reason);
  const auto error = thrown_by([&] { rejoined(order); });
  REQUIRE(error);
  CHECK(exit_code(error->fault()) == code);
  CHECK_THAT(error->text(), Contains(reason));
}

void promote_node(const Node& node) {
  SteadyClock clock;
  PromoteOrder order;
  order.cluster = node.choice();
  order.roots = nowhere(node.dir());
  order.patience = 1s;
  order.again = "promote again";
  promote(order, clock, [](std::string_view) {});
}

void diverge(const FailoverPair& pair) {
  pair.ss1.sql("insert into t select generate_series(1, 10)");
  REQUIRE(pair.caught_up());
  pair.ss2.stop();
  for (int id = 11; id <= 15; ++id) {
    pair.ss1.sql("insert into t values (" + std::to_string(id) + ")");
  }
  kill_server(pair.ss1);
  pair.ss2.start();
  promote_node(pair.ss2);
  pair.ss2.sql("insert into t values (21)");
}

void mark(const FailoverPair& pair) {
  pair.ss1.sql("alter system set work_mem = '7MB'");
  pair.ss1.sql("alter system set synchronous_standby_names = ''");
  pair.ss2.sql("alter system set work_mem = '9MB'");
  pair.ss1.append("pg_hba.conf", "local all mark trust\n");
  fs::create_directory(pair.ss1.data() + "/conf.d");
  std::ofstream(pair.ss1.data() + "/conf.d/of-this-node") << "x";
  give_to_postgres(pair.ss1.data() + "/conf.d");
  give_to_postgres(pair.ss1.data() + "/conf.d/of-this-node");
  std::ofstream(pair.ss2.data() + "/of-the-other-node") << "x";
  give_to_postgres(pair.ss2.data() + "/of-the-other-node");
}

void check_follows(const FailoverPair& pair) {
  CHECK(pair.ss1.value("select pg_is_in_recovery()") == "t");
  CHECK(
      pair.ss2.says("select count(*) from pg_stat_replication where state = 'streaming' and "
                    "application_name = 'ss1'",
                    "1"));
  CHECK(pair.ss1.value("select count(*) from t where id between 11 and 15") == "0");
  pair.ss2.sql("insert into t values (22)");
  CHECK(
      pair.ss1.says("select string_agg(id::text, ',' order by id) from t where id > 10", "21,22"));
  CHECK(pair.ss1.value("show port") == std::to_string(pair.ss1.port()));
  CHECK(pair.ss1.value("select count(*) from pg_hba_file_rules where user_name = '{mark}'") == "1");
  CHECK(pair.ss1.value("show work_mem") == "7MB");
  CHECK(pair.ss1.value("show synchronous_standby_names").empty());
  CHECK(fs::exists(pair.ss1.data() + "/conf.d/of-this-node"));
  CHECK_FALSE(fs::exists(pair.ss1.data() + "/of-the-other-node"));
  CHECK_FALSE(fs::exists(pair.ss1.data() + ".xroad-rejoin"));
  CHECK_FALSE(fs::exists(pair.ss1.data() + ".xroad-companion"));
}

std::string picture(const std::string& directory) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const auto time = fs::last_write_time(entry.path()).time_since_epoch().count();
    const auto size = entry.is_regular_file() ? fs::file_size(entry.path()) : 0;
    lines.push_back(entry.path().string() + " " + std::to_string(size) + " " +
                    std::to_string(time));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace xs::test
