// SPDX-License-Identifier: MIT
// What follows a commit: hooks, the wake in each of its forms, and both after a crash.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/nodes.h"

using Catch::Contains;
using xs::test::Child;
using xs::test::eventually;
using xs::test::Ran;
using xs::test::Secondary;
using namespace std::chrono_literals;

namespace {

struct Cluster : xs::test::Nodes {
  std::string script(const std::string& name, const std::string& body, unsigned mode = 0755) const {
    return second.dir.write(name, "#!/bin/sh\n" + body, mode);
  }
  void hook(const std::string& name, const std::string& body, unsigned mode = 0755) const {
    ::mkdir(second.file("hooks.d").c_str(), 0755);
    script("hooks.d/" + name, body, mode);
  }
  bool there(const std::string& name) const {
    return ::access(second.file(name).c_str(), F_OK) == 0;
  }
  void wake(const std::string& lines) { second.configure("[wake]\n" + lines); }
};

}  // namespace

TEST_CASE("after: hooks run in their order with the changed paths, and only when there are some",
          "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  REQUIRE(second.run().code == 0);
  cluster.hook("20-second", "echo second >>" + second.file("ran") + "\n");
  cluster.hook("10-first", "echo $# $XROAD_SYNC_CHANGED $XROAD_SYNC_ROOT >>" + second.file("ran") +
                               "\ntr '\\0' '\\n' <$XROAD_SYNC_CHANGED_FILE >>" +
                               second.file("ran") + "\nenv >" + second.file("env") + "\n");
  cluster.hook("30-leftover.dpkg-old", "echo never >>" + second.file("ran") + "\n");
  cluster.hook("40-not-executable", "echo never >>" + second.file("ran") + "\n", 0644);
  CHECK(second.run().code == 0);
  CHECK_FALSE(cluster.there("ran"));
  cluster.primary.etc.file("conf.d/local.ini", "new", 0640).remove("ssl/internal.key");
  CHECK(second.run({"-n"}).code == 0);
  CHECK_FALSE(cluster.there("ran"));
  const Ran ran = second.run();
  INFO(ran.out << ran.err);
  CHECK(ran.code == 0);
  CHECK(second.dir.read("ran") ==
        "0 2 " + second.etc.path() + "\nconf.d/local.ini\nssl/internal.key\nsecond\n");
  CHECK_THAT(second.dir.read("env"), !Contains("HOME=") && !Contains("SSH_"));
}

TEST_CASE("after: a hook that hangs, and one that anybody may write, are 44; the sync stands",
          "[e2e]") {
  Cluster cluster;
  cluster.second.configure("hooks-timeout = 1\n");
  cluster.hook("10-hangs", "exec cat " + cluster.second.file("fifo") + "\n");
  REQUIRE(::mkfifo(cluster.second.file("fifo").c_str(), 0600) == 0);
  cluster.hook("20-anybody", "touch " + cluster.second.file("ran") + "\n", 0777);
  const Ran ran = cluster.second.run();
  INFO(ran.out << ran.err);
  CHECK(ran.code == 44);
  CHECK_THAT(ran.err, Contains("10-hangs") && Contains("20-anybody"));
  CHECK_FALSE(cluster.there("ran"));
  CHECK(cluster.second.etc.exists("signer/keyconf.xml"));
  CHECK_THAT(cluster.second.log(),
             Contains(">f+++++++++ signer/keyconf.xml") && Contains("(code 44)"));
  CHECK_THAT(cluster.second.run({"status"}).out, Contains("10-hangs"));
}

TEST_CASE("after: a wake command runs once for a change, with its words and no shell", "[e2e]") {
  Cluster cluster;
  const std::string program =
      cluster.script("wake", "echo \"$1\" \"$2\" >>" + cluster.second.file("woken") + "\n");
  cluster.wake("action = command\ncommand = " + program + " $HOME *\n");
  CHECK(cluster.second.run().code == 0);
  CHECK(cluster.second.dir.read("woken") == "$HOME *\n");
  CHECK(cluster.second.run().code == 0);
  CHECK(cluster.second.dir.read("woken") == "$HOME *\n");
  cluster.primary.etc.file("conf.d/local.ini", "new", 0640);
  CHECK(cluster.second.run().code == 0);
  CHECK(cluster.second.run({"rollback"}).code == 0);
  CHECK(cluster.second.dir.read("woken") == "$HOME *\n$HOME *\n$HOME *\n");
}

TEST_CASE("after: a wake command that fails is 44, and the sync stands", "[e2e]") {
  Cluster cluster;
  cluster.wake("action = command\ncommand = " + cluster.script("wake", "echo no >&2; exit 3\n") +
               "\n");
  const Ran ran = cluster.second.run();
  INFO(ran.err);
  CHECK(ran.code == 44);
  CHECK_THAT(ran.err, Contains("wake") && Contains("3"));
  CHECK(cluster.second.etc.exists("signer/keyconf.xml"));
  CHECK(cluster.second.run().code == 0);
}

TEST_CASE("after: a signal goes to the process of a pid file", "[e2e]") {
  Cluster cluster;
  REQUIRE(::mkfifo(cluster.second.file("fifo").c_str(), 0600) == 0);
  Child service({"cat", cluster.second.file("fifo")}, cluster.second.file("out"));
  cluster.second.dir.write("pid", std::to_string(service.pid()) + "\n");
  cluster.wake("action = signal\nsignal = USR1\npid-file = " + cluster.second.file("pid") + "\n");
  const Ran ran = cluster.second.run();
  INFO(ran.err);
  CHECK(ran.code == 0);
  REQUIRE(service.ended_within(10s));
  CHECK(WTERMSIG(service.status()) == SIGUSR1);
  cluster.second.dir.write("pid", "no number\n");
  cluster.primary.etc.file("conf.d/local.ini", "new", 0640);
  CHECK(cluster.second.run().code == 44);
}

TEST_CASE("after: a unit that cannot be reloaded is 44; a signal for the signer is refused",
          "[e2e]") {
  Cluster cluster;
  cluster.wake("action = reload\nunit = xs-test-no-such.service\n");
  const Ran ran = cluster.second.run();
  INFO(ran.err);
  CHECK(ran.code == 44);
  CHECK_THAT(ran.err, Contains("xs-test-no-such.service"));
  CHECK(cluster.second.etc.exists("signer/keyconf.xml"));
  cluster.primary.etc.file("conf.d/local.ini", "new", 0640);
  cluster.wake("action = signal\nunit = xroad-signer.service\n");
  const Ran refused = cluster.second.run();
  INFO(refused.err);
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err, Contains("SIGHUP"));
  CHECK_THAT(cluster.second.etc.read("conf.d/local.ini"), Contains("pooled"));
}

TEST_CASE("after: a run that is killed inside its commit is completed by the next, wake included",
          "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  REQUIRE(second.run().code == 0);
  cluster.primary.etc.file("signer/keyconf.xml", "<keyConf>new</keyConf>\n", 0640)
      .file("signer/softtoken/BB.p12", "key bb", 0640)
      .remove("signer/softtoken/AA.p12");
  REQUIRE(::mkfifo(second.file("fifo").c_str(), 0600) == 0);
  // The wake is the last step of a commit: while it hangs, the journal stands.
  cluster.wake("action = command\ncommand = " +
               cluster.script("wake", "echo woken >>" + second.file("woken") + "\nexec cat " +
                                          second.file("fifo") + "\n") +
               "\n");
  Child run(second.command(), second.file("out"));
  REQUIRE(eventually(20s, [&] { return cluster.there("woken"); }));
  ::kill(run.pid(), SIGKILL);
  REQUIRE(run.ended_within(10s));
  CHECK(second.etc.exists(".xroad-sync/journal"));
  // A reader that has hung until now ends when the last writer closes.
  ::close(::open(second.file("fifo").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  cluster.wake("action = command\ncommand = " +
               cluster.script("wake", "echo again >>" + second.file("woken") + "\n") + "\n");
  // Nobody to ask: what is owed is done all the same.
  const Ran next =
      second.run({"-e", "ssh -p " + std::to_string(xs::test::free_port()), "--retries", "0"});
  INFO(next.out << next.err);
  CHECK(next.code == 10);
  CHECK_FALSE(second.etc.exists(".xroad-sync/journal"));
  CHECK(second.dir.read("woken") == "woken\nagain\n");
  CHECK_THAT(second.etc.read("signer/keyconf.xml"), Contains("new"));
  CHECK(second.etc.exists("signer/softtoken/BB.p12"));
  CHECK_FALSE(second.etc.exists("signer/softtoken/AA.p12"));
  CHECK_THAT(second.log(), Contains("completed first"));
  CHECK(second.run().code == 0);
}
