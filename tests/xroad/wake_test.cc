// SPDX-License-Identifier: MIT
#include "sync/xroad/wake.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/io.h"
#include "sync/xroad/wake_text.h"
#include "tests/support/catch.h"
#include "tests/support/cluster.h"
#include "tests/support/plans.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"
#include "tests/xroad/watch.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

using Seen = std::vector<std::string>;

namespace {

const std::string kTouchKeyconf = "touch signer/keyconf.xml";

std::string owed(const std::string& action, std::vector<Item> before, std::vector<Item> after,
                 Compare compare = Compare::Content) {
  PlanRules rules = rules_for(compare);
  rules.index_files = {"signer/keyconf.xml"};
  return wake_for(parse_wake(action),
                  make_plan(tree(std::move(before)), tree(std::move(after)), rules));
}

Item keyconf(const std::string& content = "k") { return file("signer/keyconf.xml", content); }
Item key(const std::string& content = "p") { return file("signer/softtoken/AA.p12", content); }

std::string refusal(const std::string& text) {
  const auto error = thrown_by([&] { parse_wake(text); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Usage);
  return error->text();
}

// A waker over a tree of its own, with a systemctl that says what the test wants and writes down
// how it was called.
struct Woken {
  TempDir dir;
  SteadyClock clock;

  Seen pay(const std::string& action, std::string_view what) {
    Waker waker(parse_wake(action), dir.path(), clock, dir / "systemctl");
    waker(what);
    return waker.failures();
  }
  void systemctl(const std::string& body) const {
    dir.write("systemctl", "#!/bin/sh\necho \"$*\" >> " + (dir / "called") + "\n" + body + "\n",
              0755);
  }
};

// A process that can be signalled, and its end.
class Sleeper {
 public:
  Sleeper() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) ::pause();
    }
  }
  ~Sleeper() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  std::string number() const { return std::to_string(pid_); }
  // Which signal has ended it.
  int ended_by() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

 private:
  pid_t pid_;
};

}  // namespace

TEST_CASE("wake: the signer is owed an event only when key files change and the keyconf does not",
          "[xroad]") {
  CHECK(owed("signer", {keyconf()}, {keyconf(), key()}) == kTouchKeyconf);
  CHECK(owed("signer", {keyconf(), key()}, {keyconf(), key("other")}) == kTouchKeyconf);
  CHECK(owed("signer", {keyconf(), key()}, {keyconf(), key().mode(0600)}) == kTouchKeyconf);
  CHECK(owed("signer", {keyconf(), key()}, {keyconf(), dir("signer/softtoken")}) == kTouchKeyconf);
  CHECK(owed("signer", {keyconf()}, {keyconf("new"), key()}).empty());
  CHECK(owed("signer", {keyconf()}, {keyconf().mode(0600), key()}).empty());
  CHECK(owed("signer", {}, {keyconf(), key()}).empty());
  CHECK(owed("signer", {keyconf(), key()}, {dir("signer"), key("new")}).empty());
}

TEST_CASE("wake: what is elsewhere, no change at all, and other times are no matter of the signer",
          "[xroad]") {
  const Item other = file("conf.d/local.ini", "a");
  CHECK(owed("signer", {keyconf(), other}, {keyconf(), file("conf.d/local.ini", "b")}).empty());
  CHECK(owed("signer", {keyconf()}, {keyconf(), file("signerx")}).empty());
  CHECK(owed("signer", {keyconf(), key()}, {keyconf(), key()}).empty());
  CHECK(owed("signer", {keyconf(), key()}, {keyconf(), key().mtime(9)}).empty());
  CHECK(owed("signer", {keyconf(), key()}, {keyconf(), key().mtime(9)}, Compare::Quick).empty());
}

TEST_CASE("wake: other actions are owed for every change that is not of times alone", "[xroad]") {
  for (const char* action : {"command /bin/true", "signal HUP nginx", "reload nginx"}) {
    INFO(action);
    CHECK(owed(action, {}, {file("a")}) == "act");
    CHECK(owed(action, {keyconf()}, {keyconf("new")}) == "act");
    CHECK(owed(action, {file("a")}, {file("a").mtime(9)}, Compare::Quick).empty());
    CHECK(owed(action, {file("a")}, {file("a")}).empty());
  }
  CHECK(owed("none", {}, {file("a"), key()}).empty());
}

TEST_CASE("wake: a rollback owes what its steps ask for", "[xroad]") {
  const auto after = [](ActionKind kind, const std::string& path) {
    Step step;
    step.kind = kind;
    step.path = path;
    return std::vector<Step>{step};
  };
  const WakeAction signer = parse_wake("signer");
  CHECK(wake_for(signer, after(ActionKind::Install, "signer/softtoken/AA.p12")) == kTouchKeyconf);
  CHECK(wake_for(signer, after(ActionKind::InstallIndex, "signer/keyconf.xml")).empty());
  CHECK(wake_for(signer, after(ActionKind::Install, "conf.d/local.ini")).empty());
  CHECK(wake_for(signer, std::vector<Step>()).empty());
  CHECK(wake_for(parse_wake("reload x"), after(ActionKind::Delete, "a")) == "act");
}

TEST_CASE("wake: the event is one, of attributes, and changes neither time", "[xroad]") {
  Woken woken;
  REQUIRE(::mkdir((woken.dir / "signer").c_str(), 0755) == 0);
  const std::string path = woken.dir.write("signer/keyconf.xml", "k");
  struct stat before {};
  REQUIRE(::stat(path.c_str(), &before) == 0);
  Watch watch(woken.dir.path(), {"signer"});
  CHECK(woken.pay("none", kTouchKeyconf).empty());  // what is configured does not count
  CHECK(watch.take() == Seen{"signer/keyconf.xml attributes"});
  struct stat after {};
  REQUIRE(::stat(path.c_str(), &after) == 0);
  CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
  CHECK(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
  CHECK(after.st_atim.tv_nsec == before.st_atim.tv_nsec);
}

TEST_CASE("wake: a journal can lead nowhere else, and an absent keyconf is nobody's loss",
          "[xroad]") {
  Woken woken;
  CHECK(woken.pay("signer", kTouchKeyconf).empty());
  for (const char* bad :
       {"touch ", "touch /etc/passwd", "touch ../x", "run /bin/true", "", "actor"}) {
    INFO(bad);
    CHECK(woken.pay("signer", bad).size() == 1);
  }
}

TEST_CASE("wake: a command runs with its words, and its failure is a sentence", "[xroad]") {
  Woken woken;
  CHECK(woken.pay("command /bin/sh -c \"echo $0 > " + (woken.dir / "said") + "\" word", "act")
            .empty());
  CHECK(woken.dir.read("said") == "word\n");
  const Seen failed = woken.pay("command /bin/sh -c \"echo no luck; exit 4\"", "act");
  REQUIRE(failed.size() == 1);
  CHECK_THAT(failed[0], Contains("status 4") && Contains("no luck"));
  CHECK(woken.pay("command /no/such", "act").size() == 1);
}

TEST_CASE("wake: a command that hangs is ended at its limit", "[xroad]") {
  Woken woken;
  WakeAction action = parse_wake("command /bin/sleep 600");
  action.limit = std::chrono::milliseconds(200);
  Waker waker(action, woken.dir.path(), woken.clock);
  waker("act");
  REQUIRE(waker.failures().size() == 1);
  CHECK_THAT(waker.failures()[0], Contains("took longer"));
}

TEST_CASE("wake: a signal reaches the main process of a unit", "[xroad]") {
  Woken woken;
  Sleeper sleeper;
  woken.systemctl("echo " + sleeper.number());
  CHECK(woken.pay("signal SIGUSR1 nginx.service", "act").empty());
  CHECK(woken.dir.read("called") == "show -p MainPID --value -- nginx.service\n");
  CHECK(sleeper.ended_by() == SIGUSR1);
}

TEST_CASE("wake: who does not run needs no signal; a strange answer is a failure", "[xroad]") {
  Woken woken;
  woken.systemctl("echo 0");
  CHECK(woken.pay("signal HUP nginx", "act").empty());
  for (const char* answer : {"1", "-1", "", "12 13", "99999999999"}) {
    INFO(answer);
    woken.systemctl(std::string("echo '") + answer + "'");
    CHECK(woken.pay("signal HUP nginx", "act").size() == 1);
  }
  woken.systemctl("echo 'no bus' >&2; exit 1");
  CHECK_THAT(woken.pay("signal HUP nginx", "act").at(0), Contains("no bus"));
}

TEST_CASE("wake: a signal reaches the process that a pid file names", "[xroad]") {
  Woken woken;
  Sleeper sleeper;
  const std::string file = woken.dir.write("pid", sleeper.number() + "\n");
  CHECK(woken.pay("signal USR2 " + file, "act").empty());
  CHECK(sleeper.ended_by() == SIGUSR2);
  CHECK(woken.pay("signal USR2 " + file, "act").empty());  // gone by now
  CHECK(woken.pay("signal USR2 " + (woken.dir / "absent"), "act").empty());
  woken.dir.write("pid", "1\n");
  CHECK(woken.pay("signal USR2 " + file, "act").size() == 1);
}

TEST_CASE("wake: a unit is reloaded when it runs", "[xroad]") {
  Woken woken;
  woken.systemctl("echo active");
  CHECK(woken.pay("reload nginx", "act").empty());
  CHECK(woken.dir.read("called") == "show -p ActiveState --value -- nginx\nreload -- nginx\n");
  woken.systemctl("echo inactive; : > " + (woken.dir / "called"));
  CHECK(woken.pay("reload nginx", "act").empty());
  CHECK(woken.dir.read("called").empty());
}

TEST_CASE("wake: an action that fails for ever leaves the sync committed and the next one free",
          "[xroad]") {
  Cluster cluster;
  cluster.fill();
  const WakeAction action = parse_wake("command /bin/false");
  SteadyClock clock;
  Waker waker(action, cluster.secondary.path(), clock);
  cluster.request.wake = [&](const Plan& plan) { return wake_for(action, plan); };
  cluster.request.on_wake = [&](std::string_view what) { waker(what); };
  CHECK(cluster.pull().changed);
  CHECK(waker.failures().size() == 1);
  cluster.require_same();
  CHECK(cluster.staging_is_clean());
  cluster.primary.file("more", "x");
  CHECK_FALSE(cluster.pull().recovered);
  CHECK(waker.failures().size() == 2);
  cluster.require_same();
}

TEST_CASE("wake: what a crash left owed is done by the run that recovers", "[xroad]") {
  Cluster cluster;
  cluster.fill();
  cluster.pull();
  cluster.primary.file("signer/softtoken/new.p12", "new", 0600);
  const WakeAction action = parse_wake("signer");
  cluster.request.wake = [&](const Plan& plan) { return wake_for(action, plan); };
  cluster.request.on_wake = [](std::string_view) { throw Error(Fault::Io, "the power is gone"); };
  CHECK(thrown_by([&] { cluster.pull(); }));
  SteadyClock clock;
  Waker waker(action, cluster.secondary.path(), clock);
  cluster.request.on_wake = [&](std::string_view what) { waker(what); };
  Watch watch(cluster.secondary.path(), {"signer"});
  CHECK(cluster.pull().recovered);
  CHECK(watch.take() == Seen{"signer/keyconf.xml attributes"});
  CHECK(waker.failures().empty());
  CHECK_FALSE(cluster.pull().recovered);
  CHECK(watch.take().empty());
}

TEST_CASE("wake: each action is written and read the same", "[xroad]") {
  for (const char* text :
       {"none", "signer", "command /bin/a", "command /bin/a b \"c d\" \"\"", "reload a@b.service",
        "signal USR1 nginx", "signal HUP /run/x.pid", "signal TERM \"/run/a b.pid\""}) {
    INFO(text);
    CHECK(wake_text(parse_wake(text)) == text);
    CHECK(parse_wake(wake_text(parse_wake(text))) == parse_wake(text));
  }
  CHECK(wake_text(parse_wake("  signal   SIGHUP\tnginx ")) == "signal HUP nginx");
}

TEST_CASE("wake: no signal is taken for X-Road's signer", "[xroad]") {
  CHECK_THAT(refusal("signal HUP xroad-signer"), Contains("kills it"));
  CHECK_THAT(refusal("signal SIGHUP xroad-signer.service"), Contains("kills it"));
  CHECK_THAT(refusal("signal TERM xroad-signer"), Contains("'signer'"));
  CHECK(parse_wake("signal HUP xroad-signer-x").signal == SIGHUP);
}

TEST_CASE("wake: what cannot be meant is refused with what can", "[xroad]") {
  CHECK_THAT(refusal(""), Contains("empty") && Contains("none, signer, command"));
  CHECK_THAT(refusal("sigenr"), Contains("'sigenr'"));
  CHECK_THAT(refusal("signer now"), Contains("0 words"));
  CHECK_THAT(refusal("command"), Contains("absolute path"));
  CHECK_THAT(refusal("command true"), Contains("absolute path"));
  CHECK_THAT(refusal("command \"\""), Contains("absolute path"));
  CHECK_THAT(refusal("command \"/bin/a"), Contains("not closed"));
  CHECK_THAT(refusal("signal HUP"), Contains("2 words"));
  CHECK_THAT(refusal("signal KILL nginx"), Contains("'KILL'"));
  CHECK_THAT(refusal("signal 1 nginx"), Contains("'1'"));
  CHECK_THAT(refusal("reload --force"), Contains("no name of a unit"));
  CHECK_THAT(refusal("reload a/b"), Contains("no name of a unit"));
}
