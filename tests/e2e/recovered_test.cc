// SPDX-License-Identifier: MIT
// A commit that an earlier run began and a crash cut short: who completes it, who only says that it
// is there, and that it is told, logged and followed by hooks like any other.
#include <sys/stat.h>
#include <unistd.h>

#include "sync/areas.h"
#include "sync/journal.h"
#include "sync/real_disk.h"
#include "tests/support/catch.h"
#include "tests/support/nodes.h"

using Catch::Contains;
using xs::test::Nodes;
using xs::test::Ran;
using xs::test::Secondary;

namespace {

constexpr const char* kPin = "signer/softtoken/.softtoken.p12";

xs::Step placed(xs::Disk& disk, xs::ActionKind kind, const std::string& path,
                const std::string& staged) {
  xs::Step step;
  step.kind = kind;
  step.path = path;
  step.staged = staged;
  step.staged_inode = disk.stat(staged)->ino;
  if (const auto old = disk.stat(path)) step.old_inode = old->ino;
  return step;
}

void write(xs::Disk& disk, const std::string& path, const std::string& bytes) {
  const auto file = disk.create(path, 0640);
  file->write(bytes);
  file->close();
}

// Durable, and nothing of it applied: a new file, another PIN, and a new directory with a file.
void leave_commit(const Secondary& second) {
  const xs::Dir root = xs::Dir::open_root(second.etc.path());
  xs::RealDisk disk(root);
  xs::ensure_area(disk, "");
  xs::Journal journal;
  journal.id = 7;
  const std::string run = xs::run_dir("", journal.id);
  disk.mkdir(run, 0700);
  write(disk, run + "/s0", "new");
  write(disk, run + "/s1", "other pin");
  disk.mkdir(run + "/s2", 0750);
  write(disk, run + "/s2/inside", "too");
  using xs::ActionKind;
  journal.steps = {placed(disk, ActionKind::MakeDir, "made", run + "/s2"),
                   placed(disk, ActionKind::Install, "conf.d/new.ini", run + "/s0"),
                   placed(disk, ActionKind::Install, kPin, run + "/s1")};
  xs::write_journal(disk, journal);
}

struct Cluster : Nodes {
  Cluster() {
    REQUIRE(second.run().code == 0);
    leave_commit(second);
    ::mkdir(second.file("hooks.d").c_str(), 0755);
    second.dir.write(
        "hooks.d/10-tell",
        "#!/bin/sh\ntr '\\0' '\\n' <$XROAD_SYNC_CHANGED_FILE >>" + second.file("ran") + "\n", 0755);
  }
  bool complete() const { return second.etc.exists("made"); }
};

}  // namespace

TEST_CASE("recovered: a paused run completes the commit, and tells and follows it", "[e2e]") {
  Cluster cluster;
  cluster.second.dir.write("flag", "");
  const Ran ran = cluster.second.run({"-i"});
  INFO(ran.out << ran.err);
  CHECK(ran.code == 0);
  CHECK(cluster.complete());
  CHECK(cluster.second.etc.read(kPin) == "other pin");
  CHECK_FALSE(cluster.second.etc.exists(".xroad-sync/journal"));
  CHECK(cluster.second.dir.read("ran") ==
        std::string("conf.d/new.ini\nmade\nmade/inside\n") + kPin + "\n");
  const std::string log = cluster.second.log();
  CHECK_THAT(log, Contains("was completed first"));
  CHECK_THAT(log, Contains(">f+++++++++ conf.d/new.ini") && Contains("cd+++++++++ made/"));
  CHECK_THAT(log, Contains("the PIN of the software token was changed"));
  CHECK_THAT(ran.out, Contains(">f+++++++++ made/inside") && Contains("paused"));
  CHECK_THAT(ran.err, Contains("the PIN of the software token was changed"));
  CHECK_THAT(cluster.second.dir.read("status.json"), Contains("pin_changed"));
  CHECK(cluster.second.run().code == 0);
  CHECK(cluster.second.log().find("was completed first") ==
        cluster.second.log().rfind("was completed first"));
}

TEST_CASE("recovered: a run that cannot reach the primary has completed the commit and says so",
          "[e2e]") {
  Cluster cluster;
  const Ran ran = cluster.second.run({"-e", "/bin/false", "--retries", "0"});
  INFO(ran.out << ran.err);
  CHECK(ran.code != 0);
  CHECK(cluster.complete());
  CHECK_THAT(cluster.second.log(), Contains(">f+++++++++ conf.d/new.ini"));
  CHECK_THAT(cluster.second.dir.read("ran"), Contains("conf.d/new.ini"));
}

TEST_CASE("recovered: completing a commit is a change, for --detailed-exitcode too", "[e2e]") {
  Cluster cluster;
  cluster.primary.etc.file("conf.d/new.ini", "new", 0640).file(kPin, "other pin", 0640);
  cluster.primary.etc.dir("made", 0750).file("made/inside", "too", 0640);
  const Ran ran = cluster.second.run({"--detailed-exitcode"});
  INFO(ran.out << ran.err);
  CHECK(ran.code == 100);
  CHECK(cluster.second.run({"--detailed-exitcode"}).code == 0);
}

TEST_CASE("recovered: who only looks completes nothing, and says what is there", "[e2e]") {
  Cluster cluster;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"diff"}, {"verify"}, {"-n"}, {"doctor"}}) {
    const Ran ran = cluster.second.run(words);
    INFO(words[0] << "\n" << ran.out << ran.err);
    CHECK(ran.code == 11);
    CHECK_THAT(ran.out + ran.err, Contains("an unfinished commit is"));
    CHECK_FALSE(cluster.complete());
  }
  CHECK_THAT(cluster.second.run({"status"}).out, Contains("an unfinished commit is"));
  CHECK(cluster.second.run().code == 0);
  CHECK_THAT(cluster.second.run({"status"}).out, !Contains("unfinished"));
}
