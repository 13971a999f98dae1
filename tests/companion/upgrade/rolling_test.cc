// SPDX-License-Identifier: MIT
// The guide's rolling upgrade of three nodes, with writes going on.
#include <atomic>
#include <functional>
#include <thread>

#include "tests/companion/upgrade/member.h"
#include "tests/companion/upgrade/recovery_doc.h"
#include "tests/support/catch.h"

using namespace xs;
using Catch::Contains;
using test::eventually;
using test::Member;
using test::Postgres;

namespace {

// Inserts one number after the other into the primary, again when it is away.
class Writer {
 public:
  explicit Writer(const Postgres& database)
      : thread_([this, &database] {
          while (!stop_) {
            try {
              database.sql("insert into written values (" + std::to_string(done_ + 1) + ")");
              ++done_;
            } catch (const std::runtime_error&) {
              ++failed_;
            }
          }
        }) {}
  ~Writer() { stop(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  int stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return done_;
  }
  int done() const { return done_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> done_{0}, failed_{0};
  std::thread thread_;
};

int ask(std::uint16_t port) {
  try {
    const std::string line = test::http_ask(port, "GET /").status();
    return line.size() < 12 ? 0 : std::stoi(line.substr(9, 3));
  } catch (const std::runtime_error&) {
    return 0;
  }
}

bool keeps_out(const std::string& file) {
  const auto state = load_upgrade(file);
  return state && state->keeps_out() && state->phase != UpgradePhase::Preparing;
}

struct Watched {
  std::uint16_t health;
  std::string state_file;
};

// A load balancer that asks everybody, and counts what must not be.
class Balancer {
 public:
  explicit Balancer(std::vector<Watched> nodes)
      : nodes_(std::move(nodes)), thread_([this] {
          while (!stop_) round();
        }) {}
  ~Balancer() { stop(); }
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::atomic<int> rounds{0}, wrongly_in{0}, nobody{0}, out{0};

 private:
  void round() {
    int working = 0;
    for (const Watched& node : nodes_) {
      const bool before = keeps_out(node.state_file);
      const int status = ask(node.health);
      const bool during = before && keeps_out(node.state_file);
      if (during) ++out;
      if (during && status == 200) ++wrongly_in;
      if (status == 200) ++working;
    }
    if (working == 0) ++nobody;
    ++rounds;
  }

  std::vector<Watched> nodes_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("upgrade: rolling over three nodes loses no row and sends no work to a node in between",
          "[upgrade]") {
  if (test::without_postgres()) return;
  test::Cluster cluster;
  test::Node primary;
  test::configure_alone(primary, "master", test::Node::kNoChecks);
  primary.serve();
  Member first(cluster), second(cluster);
  // The lines of docs/recovery.md, as they stand there.
  const auto type = [](const test::Node& node, const std::vector<std::string>& words) {
    const test::Ran ran = test::run_apart(node.line(words));
    INFO(ran.out << ran.err);
    REQUIRE(ran.code == 0);
  };
  const auto pausing = test::commands_of("upgrade: secondaries");
  const auto on_primary = test::commands_of("upgrade: primary");
  const auto on_secondary = test::commands_of("upgrade: secondary");
  REQUIRE(pausing.size() == 1);
  REQUIRE(on_primary.size() == 2);
  REQUIRE(on_secondary.size() == 2);
  REQUIRE(eventually([&] {
    return ask(primary.health) == 200 && first.health() == 200 && second.health() == 200;
  }));

  Writer writer(cluster.database);
  Balancer balancer({{primary.health, primary.tree.path_of("upgrade.json")},
                     {first.node.health, first.state_file()},
                     {second.node.health, second.state_file()}});
  // 7.2.1: nothing of the new version reaches the secondaries before their turn.
  type(first.node, pausing[0]);
  type(second.node, pausing[0]);
  const int frozen = writer.done();
  // 7.2.2
  type(primary, on_primary[0]);
  primary.kill();
  cluster.tree.etc.file("conf.d/local.ini", "[proxy]\nversion=new\n", 0640);
  primary.serve();
  type(primary, on_primary[1]);
  REQUIRE(eventually([&] { return writer.done() > frozen + 10; }));
  for (Member* member : {&first, &second}) {
    CHECK(member->health() == 200);
    CHECK(member->replay_paused());
    CHECK(member->sync_paused());
  }
  // 7.2.3, one by one; the second one's database is restarted in it.
  for (Member* member : {&first, &second}) {
    type(member->node, on_secondary[0]);
    member->restart_companion();
    if (member == &second) {
      member->standby->stop();
      member->standby->start();
    }
    CHECK(member->health() == 503);
    type(member->node, on_secondary[1]);
    CHECK(member->health() == 200);
    CHECK(member->sync.etc.read("conf.d/local.ini") == "[proxy]\nversion=new\n");
  }
  balancer.stop();
  const std::string rows = std::to_string(writer.stop());
  CHECK(balancer.rounds > 50);
  CHECK(balancer.out > 10);
  CHECK(balancer.wrongly_in == 0);
  CHECK(balancer.nobody == 0);
  for (const Member* member : {&first, &second}) {
    CHECK(member->standby->says("select count(distinct id) from written", rows));
    CHECK_FALSE(member->state());
  }
  CHECK(cluster.database.value("select count(*) from written") == rows);
}
