// SPDX-License-Identifier: MIT
// The exit codes of what breaks on the way, each provoked for real, and a tree that is as it was.
#include <sys/mount.h>

#include <csignal>

#include "tests/support/catch.h"
#include "tests/support/nodes.h"
#include "tests/support/relay.h"
#include "tests/support/silent.h"

using Catch::Contains;
using xs::test::Primary;
using xs::test::Ran;
using xs::test::Relay;
using xs::test::RelayPlan;
using xs::test::Secondary;
using namespace std::chrono_literals;

namespace {

// Bytes that no compression makes less of.
std::string noise(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 2463534242U;
  for (char& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    byte = static_cast<char>(state);
  }
  return bytes;
}

constexpr std::size_t kMuch = std::size_t{8} << 20;

struct Cluster : xs::test::Nodes {
  // A file that is under way for long enough.
  void much() { primary.etc.file("much", noise(kMuch)); }
  std::vector<std::string> over(std::uint16_t port, std::vector<std::string> words) {
    second.dir.write("known_hosts", primary.known_host() + primary.known_host(port));
    words.insert(words.begin(), {"-e", second.shell(port), "--retries", "0"});
    return words;
  }
  void refused(int code, const std::string& words, const std::vector<std::string>& args) {
    const Ran ran = second.run(args);
    INFO(ran.out << ran.err);
    CHECK(ran.code == code);
    CHECK_THAT(ran.err, Contains(words) && Contains("(code " + std::to_string(code) + ")"));
    CHECK_FALSE(second.etc.exists("signer"));
    CHECK_THAT(second.log(), Contains("(code " + std::to_string(code) + ")"));
  }
};

}  // namespace

TEST_CASE("exit: a login shell that talks is 2, and is quoted", "[e2e]") {
  Primary primary(XS_SERVER);
  const std::string key = primary.sshd.let_in(
      {}, "restrict,command=\"echo Welcome to the machine; exec " + std::string(XS_SERVER) +
              " --config " + primary.server_ini() + "\"");
  const Secondary second(primary, XS_CLIENT, key);
  const Ran ran = second.run();
  INFO(ran.err);
  CHECK(ran.code == 2);
  CHECK_THAT(ran.err, Contains("Welcome to the machine"));
  CHECK_FALSE(second.etc.exists("signer"));
}

TEST_CASE("exit: a connection that breaks in the middle is 12", "[e2e]") {
  Cluster cluster;
  cluster.much();
  RelayPlan plan;
  plan.cut_after = kMuch / 2;
  plan.cut = GENERATE(RelayPlan::Cut::Reset, RelayPlan::Cut::End);
  const Relay relay(cluster.primary.sshd.port(), plan);
  cluster.refused(12, "", cluster.over(relay.port(), {}));
  CHECK(cluster.second.run().code == 0);  // and what it left does not hold up the next one
}

TEST_CASE("exit: a primary that falls silent in the middle is 30, by either limit", "[e2e]") {
  Cluster cluster;
  cluster.much();
  RelayPlan plan;
  plan.stall_after = kMuch / 2;
  const Relay relay(cluster.primary.sshd.port(), plan);
  cluster.refused(30, "", cluster.over(relay.port(), {"--timeout=1"}));
  cluster.second.configure("[limits]\ntotal = 3\n");
  cluster.refused(30, "", cluster.over(relay.port(), {"--timeout=60"}));
}

TEST_CASE("exit: a host that answers nothing is 35, within its own limit", "[e2e]") {
  Cluster cluster;
  const xs::test::FullPort down;
  const std::string shell = "ssh -p " + std::to_string(down.port());
  cluster.refused(35, "", {"-e", shell, "--contimeout=1", "--retries", "0"});
}

TEST_CASE("exit: Ctrl-C in the middle is 20, and nothing has changed", "[e2e]") {
  Cluster cluster;
  cluster.much();
  RelayPlan plan;
  plan.stall_after = kMuch / 2;
  const Relay relay(cluster.primary.sshd.port(), plan);
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP);
  xs::test::Child run(cluster.second.command(cluster.over(relay.port(), {"--timeout=60"})),
                      cluster.second.file("out"));
  // Staging is at work.
  REQUIRE(xs::test::eventually(20s, [&] { return cluster.second.etc.exists(".xroad-sync"); }));
  ::kill(run.pid(), signal);
  REQUIRE(run.ended_within(10s));
  INFO(cluster.second.dir.read("out"));
  CHECK(WEXITSTATUS(run.status()) == 20);
  CHECK_FALSE(cluster.second.etc.exists("signer"));
  CHECK_THAT(cluster.second.log(), Contains("(code 20)"));
}

TEST_CASE("exit: more entries than the limit are refused before anything is fetched", "[e2e]") {
  Cluster cluster;
  cluster.second.configure("[limits]\nentries = 5\n");
  const Ran ran = cluster.second.run();
  INFO(ran.err);
  CHECK_THAT(ran.err, Contains("more than 5 entries"));
  CHECK(ran.code == 25);
  CHECK_FALSE(cluster.second.etc.exists("signer"));
}

TEST_CASE("exit: a destination without room is 11, and stays as it was", "[e2e]") {
  Cluster cluster;
  cluster.much();
  REQUIRE(cluster.second.run({"--exclude", "/much"}).code == 0);
  cluster.primary.etc.file("signer/keyconf.xml", "<keyConf>new</keyConf>\n", 0640);
  constexpr int kNoMounts = 77;
  // A small file system with the tree on it, which only the child sees.
  const std::string old = cluster.second.file("old");
  const int result = xs::test::in_child([&] {
    const std::string at = cluster.second.etc.path();
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return kNoMounts;
    }
    xs::test::run({"cp", "-a", at, old});
    if (::mount("none", at.c_str(), "tmpfs", 0, "size=2m") != 0) return kNoMounts;
    xs::test::run({"cp", "-aT", old, at});
    const Ran ran = cluster.second.run();
    cluster.second.dir.write("said", ran.err);
    if (ran.code != 11) return 1;
    if (cluster.second.etc.read("signer/keyconf.xml") != "<keyConf/>\n") return 2;
    return 0;
  });
  if (result == kNoMounts) {
    WARN("skipped: no mounts can be made here");
    return;
  }
  INFO(cluster.second.dir.read("said"));
  CHECK(result == 0);
}
