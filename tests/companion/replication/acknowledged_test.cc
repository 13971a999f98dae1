// SPDX-License-Identifier: MIT
// The promise of the synchronous profile: what was acknowledged before a kill of the primary is
// there after the promotion.
#include <libpq-fe.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "companion/replication/promote.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

constexpr std::size_t kCommits = 10'000;

using Connection = std::unique_ptr<PGconn, decltype(&::PQfinish)>;
using Result = std::unique_ptr<PGresult, decltype(&::PQclear)>;

Connection connect(const Node& node) {
  const std::string info = "host=" + (node.dir() / "run") + " port=" + std::to_string(node.port()) +
                           " dbname=postgres user=" + postgres_account();
  Connection connection(::PQconnectdb(info.c_str()), ::PQfinish);
  // The server's last words are expected.
  ::PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  return connection;
}

// Commits one row after the other, until one is not acknowledged any more.
void write_rows(const Node& node, int first, int stride, std::vector<int>& acknowledged,
                std::atomic<std::size_t>& all) {
  const Connection connection = connect(node);
  for (int id = first;; id += stride) {
    const std::string sql = "insert into t values (" + std::to_string(id) + ")";
    const Result result(::PQexec(connection.get(), sql.c_str()), ::PQclear);
    if (::PQresultStatus(result.get()) != PGRES_COMMAND_OK) return;
    acknowledged.push_back(id);
    ++all;
  }
}

std::vector<int> read_rows(const Node& node) {
  const Connection connection = connect(node);
  const Result result(::PQexec(connection.get(), "select id from t order by id"), ::PQclear);
  REQUIRE(::PQresultStatus(result.get()) == PGRES_TUPLES_OK);
  std::vector<int> ids;
  for (int i = 0; i < ::PQntuples(result.get()); ++i) {
    ids.push_back(std::stoi(::PQgetvalue(result.get(), i, 0)));
  }
  return ids;
}

}  // namespace

TEST_CASE("promote: no acknowledged commit of 10,000 is missing after the primary was killed",
          "[replication]") {
  if (without_postgres()) return;
  PairOptions options;
  options.standby = {"hot_standby = off"};  // a warm standby, which answers nobody
  FailoverPair pair(options);
  pair.ss1.sql("alter system set synchronous_standby_names = 'ANY 1 (\"ss2\")'");
  pair.ss1.sql("select pg_reload_conf()");
  REQUIRE(pair.ss1.says("select sync_state from pg_stat_replication", "quorum"));
  // As a configuration that was copied has it.
  pair.ss2.append("postgresql.conf", "synchronous_standby_names = 'ANY 1 (\"ss2\")'\n");

  constexpr int kWriters = 8;
  std::vector<std::vector<int>> acknowledged(kWriters);
  std::atomic<std::size_t> all = 0;
  std::vector<std::thread> writers;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kWriters; ++i) {
    auto& mine = acknowledged[static_cast<std::size_t>(i)];
    writers.emplace_back(write_rows, std::cref(pair.ss1), i, kWriters, std::ref(mine),
                         std::ref(all));
  }
  const bool enough =
      eventually(std::chrono::minutes(4), [&all] { return all.load() >= kCommits; });
  kill_server(pair.ss1);  // in the middle of them
  for (std::thread& writer : writers) writer.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  REQUIRE(enough);

  SteadyClock clock;
  PromoteOrder order;
  order.cluster = pair.ss2.choice();
  order.roots = nowhere(pair.ss2.dir());
  order.patience = std::chrono::seconds(1);
  order.again = "promote again";
  std::string said;
  promote(order, clock, [&said](std::string_view text) { said += text; });
  CAPTURE(said);
  CHECK_THAT(said, Contains("hot_standby is off); it has received up to 0/"));
  CHECK_THAT(said, Contains("A WRITE IS SAFE ONLY"));

  std::vector<int> wanted;
  for (const auto& some : acknowledged) wanted.insert(wanted.end(), some.begin(), some.end());
  std::sort(wanted.begin(), wanted.end());
  const std::vector<int> there = read_rows(pair.ss2);
  std::vector<int> missing;
  std::set_difference(wanted.begin(), wanted.end(), there.begin(), there.end(),
                      std::back_inserter(missing));
  CHECK(missing.empty());
  CHECK(wanted.size() >= kCommits);
  pair.ss2.sql("insert into t values (-1)");  // and a write does not hang
  std::printf("acknowledged %zu commits in %.1f s; there after the promotion: %zu\n", wanted.size(),
              took.count(), there.size());
}
