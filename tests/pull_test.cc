// SPDX-License-Identifier: MIT
// Both sessions over a socketpair on real directories: the whole engine without ssh.
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "tests/support/catch.h"
#include "tests/support/cluster.h"
#include "tests/support/setting.h"
#include "tests/support/temp_tree.h"

using namespace xs;
using Catch::Contains;
using test::Cluster;
using test::picture;
using test::TempTree;

TEST_CASE("pull: a first run makes an exact copy, a second one changes nothing", "[sync]") {
  Cluster cluster;
  cluster.request.options.compare = GENERATE(Compare::Content, Compare::Quick);
  cluster.request.choose_compare = false;
  cluster.fill();
  const PullResult first = cluster.pull();
  CHECK(first.changed);
  CHECK(first.problems.empty());
  cluster.require_same();
  const auto before = picture(cluster.secondary, true);
  const PullResult second = cluster.pull();
  CHECK_FALSE(second.changed);
  CHECK(second.changes.empty());
  CHECK(second.literal == 0);
  CHECK(second.generation == first.generation);
  CHECK(picture(cluster.secondary, true) == before);
}

TEST_CASE("pull: a change of every kind arrives, and only what changed travels", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.primary.file("gone", "x").dir("gone.d").file("gone.d/f", "x");
  cluster.pull();
  cluster.require_same();
  cluster.primary.file("signer/keyconf.xml", "<keys n='2'/>", 0640)
      .file("signer/softtoken/new.p12", "new", 0600);
  cluster.primary.mode("signer/softtoken/key.p12", 0400)
      .remove("gone")
      .remove("gone.d/f")
      .remove("gone.d");
  cluster.primary.remove("current")
      .symlink("current", "elsewhere")
      .remove("empty")
      .dir("empty")
      .file("empty/f", "now a dir");
  const PullResult result = cluster.pull();
  cluster.require_same();
  CHECK(result.literal <
        3200);  // the key whose mode changed comes along, being small; the large file does not
  CHECK(result.changes.size() >= 8);
}

TEST_CASE("pull: a large file with a small edit travels as a delta", "[sync]") {
  Cluster cluster;
  std::mt19937 random(5);
  std::string bytes(2'000'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  cluster.primary.file("big", bytes);
  cluster.pull();
  bytes.insert(1'000'000, "an insertion");
  cluster.primary.file("big", bytes);
  const PullResult result = cluster.pull();
  cluster.require_same();
  CHECK(result.literal < 100'000);
  CHECK(result.literal > 12);
}

TEST_CASE("pull: a time-only difference is none by contents", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.pull();
  const auto before = picture(cluster.secondary, true);
  cluster.primary.mtime("signer/keyconf.xml", 1'234'567'890'000'000'000);
  CHECK_FALSE(cluster.pull().changed);
  CHECK(picture(cluster.secondary, true) == before);
}

TEST_CASE("pull: what either side excludes stays as it is on the secondary", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.primary.file("db.properties", "primary's")
      .dir("conf.d")
      .file("conf.d/node.ini", "master")
      .file("x.tmp", "t");
  cluster.secondary.file("db.properties", "own")
      .dir("conf.d")
      .file("conf.d/node.ini", "slave")
      .file("y.tmp", "mine");
  cluster.request.filters.exclude("db.properties");
  cluster.request.filters.exclude("*.tmp");
  cluster.sender.mandatory.exclude("/conf.d/node.ini");  // which the client does not know
  const PullResult result = cluster.pull();
  CHECK(result.changed);
  CHECK(cluster.secondary.read("db.properties") == "own");
  CHECK(cluster.secondary.read("conf.d/node.ini") == "slave");
  CHECK(cluster.secondary.read("y.tmp") == "mine");
  CHECK_FALSE(cluster.secondary.exists("x.tmp"));
  CHECK(cluster.secondary.read("signer/keyconf.xml") == "<keys/>");
  CHECK_FALSE(cluster.pull().changed);
  CHECK(cluster.secondary.read("conf.d/node.ini") == "slave");
}

TEST_CASE("pull: an empty source deletes nothing unless that is wanted", "[sync]") {
  Cluster cluster;
  cluster.secondary.file("precious", "x");
  const Error error = cluster.failure();
  CHECK(error.fault() == Fault::Refused);
  CHECK_THAT(error.text(), Contains("the source is empty"));
  cluster.request.allow_empty = true;
  cluster.pull();
  CHECK_FALSE(cluster.secondary.exists("precious"));
}

TEST_CASE("pull: wrong roots are refused with their reason and change nothing", "[sync]") {
  Cluster cluster;
  cluster.secondary.file("precious", "x");
  SECTION("the server serves another tree") {
    cluster.request.root = "/elsewhere";
    CHECK(cluster.failure().fault() == Fault::Selection);
  }
  SECTION("the source has vanished") {
    cluster.sender.root = cluster.request.root = cluster.primary.path() + "/gone";
    CHECK(cluster.failure().fault() == Fault::Partial);
  }
  SECTION("the source is a file") {
    cluster.primary.file("f", "x");
    cluster.sender.root = cluster.request.root = cluster.primary.path_of("f");
    CHECK(cluster.failure().fault() == Fault::Selection);
  }
}

TEST_CASE("pull: a setuid file at the source is refused", "[sync]") {
  Cluster cluster;
  cluster.primary.file("su", "x", 04755);
  const Error error = cluster.failure();
  CHECK(error.fault() == Fault::Refused);
  CHECK_THAT(error.text(), Contains("'su' is setuid"));
}

TEST_CASE("pull: a root that gets another owner takes its staging area along", "[sync]") {
  if (::geteuid() != 0) {
    WARN("only root changes owners: not tested");
    return;
  }
  Cluster cluster;
  cluster.primary.file("f", "new").owner(".", 2, 3);
  cluster.secondary.file("f", "old").owner(".", 1, 1);
  cluster.request.keep = KeepPolicy();
  CHECK(cluster.pull().changed);
  const auto kept = [&](const std::string& name) {
    return cluster.secondary.stat(".xroad-sync" + name);
  };
  for (const char* name : {"", "/lock", "/previous", "/previous/1", "/previous/1/manifest"}) {
    CAPTURE(name);
    CHECK(kept(name).st_uid == 2);
    CHECK(kept(name).st_gid == 3);
  }
  CHECK(kept("/previous/1/0").st_uid == 0);  // the file that was replaced
  CHECK_FALSE(cluster.pull().changed);
  cluster.primary.owner(".", 0, 0);
  CHECK(cluster.pull().changed);
  CHECK(kept("").st_uid == 0);
  CHECK_FALSE(cluster.pull().changed);
}

TEST_CASE("pull: a new directory comes whole, its index files after everything else", "[sync]") {
  Cluster cluster;
  cluster.primary.dir("signer").file("signer/keyconf.xml", "index").dir("signer/keys", 0750);
  cluster.primary.file("signer/keys/a", "key").symlink("signer/keys/l", "a");
  cluster.primary.hardlink("signer/b", "signer/keys/a");
  cluster.request.index_files = {"signer/keyconf.xml"};
  CHECK(cluster.pull().problems.empty());
  cluster.require_same();
  CHECK(cluster.staging_is_clean());
}

TEST_CASE(
    "pull: contents that come in bulk are staged as they come, and leave no trace if unwanted",
    "[sync]") {
  Cluster cluster;
  const std::string bytes(60'000, 'x');
  for (int i = 0; i < 200; ++i) {  // 12 MB, inlined all of it
    const std::string dir = "d" + std::to_string(i / 50);
    if (i % 50 == 0) cluster.primary.dir(dir);
    cluster.primary.file(dir + "/f" + std::to_string(i), bytes + std::to_string(i));
  }
  cluster.request.options.inline_limit = limits::kInline;
  SECTION("into an empty tree") {
    cluster.pull();
    cluster.require_same();
  }
  SECTION("into one that has a part of it") {
    cluster.secondary.dir("d1").file("d1/f60", "old").file("d2", "a file, where a directory comes");
    cluster.pull();
    cluster.require_same();
  }
  SECTION("where something here must be left alone") {
    REQUIRE(::mkfifo(cluster.secondary.path_of("d3").c_str(), 0600) == 0);
    CHECK_FALSE(cluster.pull().problems.empty());
    CHECK(S_ISFIFO(cluster.secondary.stat("d3").st_mode));
    CHECK(cluster.secondary.read("d2/f149") == cluster.primary.read("d2/f149"));
  }
  SECTION("refused") {
    cluster.request.approve = [](const Plan&, const Entries&, const Entries&,
                                 const std::vector<Problem>&) {
      throw Error(Fault::Refused, "not this");
    };
    CHECK(cluster.failure().fault() == Fault::Refused);
  }
  CHECK(cluster.staging_is_clean());
}

TEST_CASE("pull: a second run at once is told who is at work", "[sync]") {
  Cluster cluster;
  cluster.fill();
  SteadyClock clock;
  const Receiver holder(cluster.request, clock);
  try {
    const Receiver second(cluster.request, clock);
    FAIL("two at once");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Locked);
  }
}

TEST_CASE("pull: random changes always end in an exact copy", "[sync]") {
  const auto seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Cluster cluster;
  cluster.request.choose_compare = false;
  cluster.request.options.compare = random() % 2 == 0 ? Compare::Content : Compare::Quick;
  cluster.primary.file("seed", "s").dir("d0").dir("d1").dir("d2").dir("d3");
  for (int round = 0; round < 25; ++round) {
    for (int change = 0; change < 8; ++change) {
      const std::string dir = "d" + std::to_string(random() % 4);
      const std::string path = dir + "/f" + std::to_string(random() % 6);
      const std::string bytes(random() % 3 == 0 ? random() % 200'000 : random() % 50,
                              static_cast<char>('a' + random() % 26));
      if (cluster.primary.exists(path)) cluster.primary.remove(path);
      switch (random() % 5) {
        case 0: break;
        case 1: cluster.primary.symlink(path, "t" + std::to_string(random() % 9)); break;
        case 2:
          cluster.primary.dir(dir)
              .dir(dir, random() % 2 == 0 ? 0755 : 0700)
              .file(path, bytes, 0600);
          break;
        default: cluster.primary.file(path, bytes, random() % 2 == 0 ? 0644 : 0640);
      }
    }
    const PullResult result = cluster.pull();
    INFO("round " << round);
    CHECK(result.problems.empty());
    cluster.require_same();
    CHECK_FALSE(cluster.pull().changed);
  }
}

TEST_CASE("pull: approval sees the plan and the problems, and a refusal changes nothing",
          "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.request.approve = [](const Plan& plan, const Entries& local, const Entries& target,
                               const std::vector<Problem>& problems) {
    CHECK(plan.creates == target.list.size() - local.list.size());
    CHECK(problems.empty());
    throw Error(Fault::Refused, "not today");
  };
  const Error error = cluster.failure();
  CHECK(error.fault() == Fault::Refused);
  CHECK(error.text() == "not today");
}

TEST_CASE("pull: what is owed after a commit is decided from its plan", "[sync]") {
  Cluster cluster;
  cluster.fill();
  std::vector<std::string> woken;
  cluster.request.wake = [](const Plan& plan) { return std::to_string(plan.changes.size()); };
  cluster.request.on_wake = [&](std::string_view owed) { woken.emplace_back(owed); };
  const PullResult first = cluster.pull();
  CHECK(woken == std::vector<std::string>{std::to_string(first.changes.size())});
  cluster.pull();
  CHECK(woken.size() == 1);
}

TEST_CASE("pull: a source that may not be copied from is neither begun with nor sealed", "[sync]") {
  Cluster cluster;
  cluster.fill();
  const int good = GENERATE(0, 1, 2);  // how many questions go well: the last comes after the scans
  int asked = 0;
  cluster.sender.check = [&] {
    if (++asked > good) throw Error(Fault::Vanished, "a restore is under way");
  };
  const Error error = cluster.failure();
  CHECK(error.fault() == Fault::Vanished);
  CHECK(error.text().find("a restore is under way") != std::string::npos);
  CHECK(asked == good + 1);
}

TEST_CASE("pull: a previous version too large to keep is no problem of the new one", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.pull();
  cluster.request.keep = {3, 1};
  cluster.primary.file("a", "as it was before");
  cluster.pull();
  cluster.primary.file("a", "another");
  const PullResult result = cluster.pull();
  CHECK(result.changed);
  CHECK(result.problems.empty());
  CHECK(result.notes.size() == 1);
  CHECK(result.kept == 0);
}

TEST_CASE("pull: without compression a tree travels whole, and in more bytes", "[sync]") {
  std::uint64_t received[2] = {};
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "key-" + std::to_string(i) + " = value\n";
  for (const bool compress : {true, false}) {
    Cluster cluster;
    cluster.primary.file("text", text);
    cluster.request.compress = compress;
    SteadyClock clock;
    test::converse(
        [&](Channel& channel) {
          Receiver(cluster.request, clock).run(channel);
          received[compress ? 1 : 0] = channel.received();
        },
        [&](Channel& channel) { serve(channel, cluster.sender, clock); });
    CHECK(cluster.secondary.read("text") == text);
  }
  CHECK(received[1] * 2 < received[0]);
}
