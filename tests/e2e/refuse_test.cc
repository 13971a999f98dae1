// SPDX-License-Identifier: MIT
// Every class of failure, provoked for real: its exit code, one line that says what to do, and a
// tree that is as it was.
#include <csignal>

#include "base/clock.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/nodes.h"
#include "tests/support/silent.h"

using Catch::Contains;
using xs::test::Primary;
using xs::test::Ran;
using xs::test::Secondary;

namespace {

bool has_lock(const Secondary& second) {
  const char* const lock = ".xroad-sync/lock";
  const bool begun = second.etc.exists(".xroad-sync") && second.etc.exists(lock);
  return begun && !second.etc.read(lock).empty();
}

struct Cluster : xs::test::Nodes {
  // The run must fail so, in one line, and change nothing.
  void refused(int code, const std::string& words, const std::vector<std::string>& args = {}) {
    const Ran ran = second.run(args);
    INFO(ran.out << ran.err);
    CHECK(ran.code == code);
    CHECK_THAT(ran.err, Contains(words));
    CHECK_FALSE(second.etc.exists("signer"));
  }
};

}  // namespace

TEST_CASE("refuse: a wrong command line is 1, an option that we do not have is 4", "[e2e]") {
  Cluster cluster;
  cluster.refused(1, "--no-such-option", {"--no-such-option"});
  cluster.refused(4, "--inplace", {"--inplace"});
  cluster.refused(1, "nonsense", {"--filter", "nonsense /x"});
}

TEST_CASE("refuse: a wrong configuration is 1, with its file and line", "[e2e]") {
  Cluster cluster;
  cluster.second.configure("[sync]\ncompare = sometimes\n");
  cluster.refused(1, "sync.ini:");
  cluster.second.configure("[sync]\ndeleet = yes\n");
  cluster.refused(1, "delete");
}

TEST_CASE("refuse: a root that is not served is 3, whether or not it is there", "[e2e]") {
  Cluster cluster;
  for (const char* path : {"/etc/ssh/", "/nowhere/"}) {
    const Ran ran = cluster.second.bare({"-e", cluster.second.shell(), "-a",
                                         xs::test::user_name() + "@127.0.0.1:" + path,
                                         cluster.second.etc.path() + "/"});
    INFO(ran.err);
    CHECK(ran.code == 3);
  }
}

TEST_CASE("refuse: no server program is 5, no server at all is 10", "[e2e]") {
  Primary primary("/nowhere/xroad-sync-server");
  const Secondary second(primary, XS_CLIENT, primary.let_in());
  CHECK(second.run().code == 5);
  const Ran gone =
      second.run({"-e", "ssh -p " + std::to_string(xs::test::free_port()), "--retries", "0"});
  INFO(gone.err);
  CHECK(gone.code == 10);
}

TEST_CASE("refuse: a destination that is a file is 11 or 3, and stays", "[e2e]") {
  Cluster cluster;
  const std::string file = cluster.second.dir.write("plain", "bytes");
  const Ran ran =
      cluster.second.bare({"-e", cluster.second.shell(), "-a", cluster.second.source(), file});
  INFO(ran.err);
  CHECK((ran.code == 11 || ran.code == 3));
  CHECK(cluster.second.dir.read("plain") == "bytes");
}

TEST_CASE("refuse: an unknown host is 41, a key that is not let in is 42", "[e2e]") {
  Cluster cluster;
  cluster.second.dir.write("known_hosts", "");
  cluster.refused(41, "xroad-sync trust");
  cluster.second.dir.write("known_hosts", cluster.primary.known_host());
  const std::string stranger = xs::test::make_key(cluster.second.dir, "stranger");
  cluster.refused(42, "refused", {"--identity", stranger});
}

TEST_CASE("refuse: an unreadable signer is 23 and nothing changes; another file only itself",
          "[e2e]") {
  Cluster cluster;
  cluster.primary.etc.socket("conf.d/socket");  // cannot be copied: -a without --specials
  cluster.second.configure("[sync]\nspecials = no\n");
  const Ran ran = cluster.second.run();
  INFO(ran.out << ran.err);
  CHECK(ran.code == 23);
  CHECK_THAT(ran.err, Contains("conf.d/socket"));
  CHECK(cluster.second.etc.exists("signer/keyconf.xml"));
  CHECK_THAT(cluster.second.log(), Contains("(code 23)"));
  cluster.primary.etc.file("new", "x").socket("signer/socket");
  CHECK(cluster.second.run().code == 23);
  CHECK_FALSE(cluster.second.etc.exists("new"));
}

TEST_CASE("refuse: a primary in the middle of a restore is 24", "[e2e]") {
  Cluster cluster;
  cluster.primary.conf.write("restore_in_progress", "");
  cluster.refused(24, "restore");
}

TEST_CASE("refuse: a change of the PIN in flight is 24", "[e2e]") {
  Cluster cluster;
  cluster.primary.etc.file(
      "signer/keyconf.xml",
      "<?xml version=\"1.0\"?><keyConf><device><deviceType>softToken</deviceType><id>0</id>"
      "<key usage=\"SIGNING\"><keyId>AA</keyId></key></device></keyConf>\n");
  REQUIRE(cluster.second.run().code == 0);
  cluster.primary.etc.remove("signer/softtoken/AA.p12")
      .remove("signer/softtoken/.softtoken.p12")
      .remove("signer/softtoken");
  const Ran ran = cluster.second.run();
  INFO(ran.err);
  CHECK(ran.code == 24);
  CHECK(cluster.second.etc.read("signer/softtoken/AA.p12") == "key aa");
}

TEST_CASE("refuse: an empty primary, or one without keyconf.xml, is 25", "[e2e]") {
  Cluster cluster;
  REQUIRE(cluster.second.run().code == 0);
  cluster.primary.etc.remove("signer/keyconf.xml");
  const Ran ran = cluster.second.run();
  INFO(ran.err);
  CHECK(ran.code == 25);
  CHECK(cluster.second.etc.exists("signer/keyconf.xml"));
  CHECK(cluster.second.run({"--allow-empty"}).code == 0);
  CHECK_FALSE(cluster.second.etc.exists("signer/keyconf.xml"));
}

TEST_CASE("refuse: more deletions than the guard lets pass are 25", "[e2e]") {
  Cluster cluster;
  for (int i = 0; i < 40; ++i) cluster.primary.etc.file("many/" + std::to_string(i), "x");
  REQUIRE(cluster.second.run().code == 0);
  for (int i = 0; i < 40; ++i) cluster.primary.etc.remove("many/" + std::to_string(i));
  const Ran guard = cluster.second.run();
  INFO(guard.err);
  CHECK(guard.code == 25);
  CHECK(cluster.second.etc.exists("many/7"));
  CHECK(cluster.second.run({"--allow-deletes", "--max-delete=5"}).code == 25);
  CHECK(cluster.second.etc.exists("many/7"));
  CHECK(cluster.second.run({"--allow-deletes"}).code == 0);
  CHECK_FALSE(cluster.second.etc.exists("many/7"));
}

TEST_CASE("refuse: a run while another one is at work is 40", "[e2e]") {
  Cluster cluster;
  // The other run waits for a server that says nothing.
  const xs::test::SilentPort silent;
  xs::test::Child other({XS_CLIENT, "--config", cluster.second.file("sync.ini"), "-e",
                         "ssh -p " + std::to_string(silent.port()), "--timeout=30"},
                        cluster.second.file("other.out"));
  // It says so in the file of its lock, for people.
  xs::SteadyClock clock;
  const xs::Instant deadline = clock.now() + std::chrono::seconds(10);
  while (clock.now() < deadline && !has_lock(cluster.second)) {
    clock.poll({}, clock.now() + std::chrono::milliseconds(5));
  }
  cluster.refused(40, "another run", {"--retries", "0"});
  ::kill(other.pid(), SIGTERM);
  REQUIRE(other.ended_within(std::chrono::seconds(10)));
  CHECK(WEXITSTATUS(other.status()) == 20);
  CHECK(cluster.second.run().code == 0);
}

TEST_CASE("refuse: a node in the wrong role is 46, at either side", "[e2e]") {
  Cluster cluster;
  cluster.second.etc.file("conf.d/node.ini", "[node]\ntype=master\n");
  cluster.refused(46, "secondary");
  cluster.second.etc.file("conf.d/node.ini", "[node]\ntype=salve\n");
  cluster.refused(46, "salve");
  cluster.second.etc.file("conf.d/node.ini", "[node]\ntype=slave\n");
  cluster.primary.etc.file("conf.d/node.ini", "[node]\ntype=slave\n");
  cluster.refused(46, "primary");
}

TEST_CASE("refuse: a hook that fails is 44, and the sync stands", "[e2e]") {
  Cluster cluster;
  const std::string hooks = cluster.second.file("hooks.d");
  REQUIRE(::mkdir(hooks.c_str(), 0755) == 0);
  const std::string hook = cluster.second.dir.write("hooks.d/10-fail", "#!/bin/sh\nexit 3\n");
  REQUIRE(::chmod(hook.c_str(), 0755) == 0);
  const Ran ran = cluster.second.run();
  INFO(ran.err);
  CHECK(ran.code == 44);
  CHECK_THAT(ran.err, Contains("10-fail"));
  CHECK(cluster.second.etc.exists("signer/keyconf.xml"));
  CHECK(cluster.second.run().code == 0);  // nothing changed, no hook
}

TEST_CASE("pause: the flag pauses, a forced run does not mind, resume ends it", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  second.dir.write("flag", "");
  const Ran paused = second.run();
  INFO(paused.out << paused.err);
  CHECK(paused.code == 0);
  CHECK_THAT(paused.out, Contains("paused") && Contains("resume"));
  CHECK_FALSE(second.etc.exists("signer"));
  CHECK(second.run({"--fail-if-paused"}).code == 45);
  CHECK_THAT(second.run({"status"}).out, Contains("paused"));
  CHECK(second.run({"pull", "--ignore-pause"}).code == 0);
  CHECK(second.etc.exists("signer/keyconf.xml"));
  CHECK_THAT(second.log(), Contains("in spite of the pause"));
  CHECK(second.run({"resume"}).code == 0);
  CHECK_THAT(second.run({"status"}).out, Contains("ok"));
}

TEST_CASE("pause: the verb says who, why and until when", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  CHECK(second.run({"pause", "--reason", "upgrade 7.8", "--until", "2h"}).code == 0);
  const Ran paused = second.run();
  CHECK(paused.code == 0);
  CHECK_THAT(paused.out, Contains("upgrade 7.8") && Contains("until"));
  CHECK(second.run({"pause", "--until", "yesterday"}).code == 1);
  CHECK(second.run({"resume"}).code == 0);
  CHECK(second.run().code == 0);
  CHECK(second.etc.exists("signer/keyconf.xml"));
}
