// SPDX-License-Identifier: MIT
#include "companion/checks/sync_age.h"

#include "companion/sync_status.h"
#include "sync/report/status.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/http_peer.h"
#include "tests/support/silent.h"
#include "tests/support/sshd.h"
#include "tests/support/temp_dir.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr std::int64_t kNow = 1'800'000'000;
const std::string kGeneration(32, 'a');

// A secondary; its status file is written by xroad-sync's own writer.
struct Node {
  TempDir dir;
  SyncAgeSettings settings;
  Status status;

  explicit Node(std::int64_t age) {
    settings.status_file = dir / "status.json";
    status.generation = kGeneration;
    status.last_success = status.last_run = StatusRun{kNow - age, 10, {}};
    write();
  }
  void write() { write_status(settings.status_file, status); }
  Verdict ask() {
    SteadyClock clock;
    return SyncAgeCheck(settings, [] { return kNow; }).ask(clock, clock.now() + 5s);
  }
  void failing(const std::string& reason) {
    write();
    const Verdict verdict = ask();
    CHECK_FALSE(verdict.ok);
    CHECK(verdict.message == "Configuration sync is too old");
    CHECK_THAT(verdict.detail, Contains(reason));
  }
};

// The clock of a check, moved by hand; its waits are real.
struct Moved final : Clock {
  SteadyClock real;
  Duration ahead{0};
  Instant now() const override { return real.now() + ahead; }
  int poll(std::span<pollfd> fds, Instant deadline) override {
    return real.poll(fds, deadline - ahead);
  }
};

const std::string kTheirs(32, 'b');

// What another node's companion says.
std::string peer_status(const std::string& generation, int age, int paused = 0,
                        const std::string& away = "false") {
  return R"({"v":1,"generation":")" + generation + R"(","maintenance":{"maintenance":)" + away +
         R"(},"checks":[{"check":"sync-age","measured":{"age_seconds":)" + std::to_string(age) +
         ".0,\"paused\":" + std::to_string(paused) + ".0}}]}";
}

}  // namespace

TEST_CASE("sync age: as old as allowed passes, a second more fails", "[companion]") {
  const Verdict verdict = Node(600).ask();
  CHECK(verdict.ok);
  CHECK(verdict.detail == "the last success was 10 min ago");
  CHECK(verdict.measured.at(0) == Measured{"age_seconds", 600});
  CHECK(verdict.facts.at(0) == Fact{"generation", kGeneration});
  Node old(601);
  old.failing("the last success was 10 min ago");
  old.status.failure = StatusFailure{41, "host-key", "the host key changed\n"};
  old.failing("; the last run failed: host-key: the host key changed\\#012");
}

TEST_CASE("sync age: a failure of late is no trouble while the last success is young",
          "[companion]") {
  Node node(100);
  node.status.failure = StatusFailure{10, "network", "no connection"};
  node.write();
  CHECK(node.ask().ok);
}

TEST_CASE("sync age: a pause excuses an old sync for its time", "[companion]") {
  Node node(14'400);
  node.status.paused = StatusPause{"anna", "upgrade", kNow - 14'400, {}};
  node.write();
  CHECK(node.ask().ok);
  CHECK_THAT(node.ask().detail, Contains("paused for 4 h by anna"));
  node.status.paused->since -= 1;
  node.failing("paused for 4 h by anna");
}

TEST_CASE("sync age: a status that cannot be believed is a failure", "[companion]") {
  Node node(0);
  SECTION("no success") {
    node.status.last_success.reset();
    node.failing("no run of xroad-sync has succeeded yet");
  }
  SECTION("a success in the future") {
    node.status.last_success->at = kNow + 301;
    node.failing("in the future: one clock is wrong");
  }
  SECTION("no file, no JSON, another version, too large") {
    const auto detail = [&](const std::string& text) {
      node.dir.write("status.json", text);
      CHECK_FALSE(node.ask().ok);
      return node.ask().detail;
    };
    node.settings.status_file = node.dir / "none";
    CHECK_THAT(node.ask().detail, Contains("has xroad-sync run on this node?"));
    node.settings.status_file = node.dir / "status.json";
    CHECK_THAT(detail("{\"v\":1"), Contains("no status of xroad-sync"));
    CHECK_THAT(detail("{\"v\":2}"), Contains("has version 2"));
    CHECK_THAT(detail("{\"v\":1,\"last_success\":{\"at\":\"now\"}}"), Contains("no run"));
    CHECK_THAT(detail("{\"v\":1,\"last_success\":{\"at\":1800000000},\"paused\":{}}"),
               Contains("its pause has no beginning"));
    CHECK_THAT(detail(std::string(70'000, ' ')), Contains("larger than"));
  }
}

TEST_CASE("sync age: another generation counts once it stays", "[companion]") {
  Node node(10);
  const HttpPeer peer(peer_status(kTheirs, 5));
  node.settings.peers = {{"127.0.0.1", free_port(), "/status.json"},
                         {"127.0.0.1", peer.port(), "/status.json"}};
  SyncAgeCheck check(node.settings, [] { return kNow; });
  Moved clock;
  const auto ask = [&] { return check.ask(clock, clock.now() + 5s); };
  CHECK(ask().detail == "the last success was 10 s ago, compared with 1 of 2 peers");
  clock.ahead += 299s;
  CHECK(ask().ok);
  clock.ahead += 2s;
  const Verdict verdict = ask();
  CHECK(verdict.message == "Configuration differs from other nodes");
  CHECK_THAT(verdict.detail, Contains(kGeneration) && Contains(kTheirs));
  node.status.generation = kTheirs;
  node.write();
  CHECK(ask().ok);
  node.status.generation = kGeneration;
  node.write();
  CHECK(ask().ok);  // a new difference gets its time
}

TEST_CASE("sync age: a peer that is stale, paused or away says nothing about this node",
          "[companion]") {
  Node node(10);
  const auto judged = [&](const std::string& peers_words) {
    const HttpPeer peer(peers_words);
    node.settings.peers = {{"127.0.0.1", peer.port(), "/status.json"}};
    SyncAgeCheck check(node.settings, [] { return kNow; });
    Moved clock;
    CHECK(check.ask(clock, clock.now() + 5s).ok);
    clock.ahead += 301s;
    return check.ask(clock, clock.now() + 5s).message;
  };
  CHECK(judged(peer_status(kTheirs, 9)) == "Configuration differs from other nodes");
  CHECK(judged(peer_status(kTheirs, 10)).empty());  // it did not sync after us
  CHECK(judged(peer_status(kTheirs, 400)).empty());
  CHECK(judged(peer_status(kTheirs, 5, 1)).empty());
  CHECK(judged(peer_status(kTheirs, 5, 0, "true")).empty());
  CHECK(judged("{\"v\":1,\"generation\":\"" + kTheirs + "\"}").empty());
}

TEST_CASE("sync age: silent peers cost a second in all", "[companion]") {
  Node node(10);
  const SilentPort one, two, three;
  for (const SilentPort* port : {&one, &two, &three}) {
    node.settings.peers.push_back({"127.0.0.1", port->port(), "/status.json"});
  }
  const auto begin = std::chrono::steady_clock::now();
  CHECK(node.ask().ok);
  CHECK(std::chrono::steady_clock::now() - begin < 3s);
}
