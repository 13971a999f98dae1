// SPDX-License-Identifier: MIT
#include "sync/sender.h"

#include "base/io.h"
#include "sync/hash.h"
#include "tests/support/catch.h"
#include "tests/support/cluster.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::Cluster;

TEST_CASE("sender: a check that fails before the tree is served reaches the client with its class",
          "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.sender.check = [] { throw Error(Fault::Vanished, "a restore is at work"); };
  const Error error = cluster.failure();
  CHECK(error.fault() == Fault::Vanished);
  CHECK_THAT(error.text(), Contains("a restore is at work"));
}

TEST_CASE("sender: a check that fails before the seal leaves the secondary as it was", "[sync]") {
  Cluster cluster;
  cluster.fill();
  int asked = 0;
  cluster.sender.check = [&] {
    if (++asked == 2) throw Error(Fault::Role, "this node is no master any more");
  };
  CHECK(cluster.failure().fault() == Fault::Role);
  CHECK(asked == 2);
  // The same at the end of a session that has nothing to say.
  cluster.sender.check = {};
  cluster.pull();
  asked = 0;
  cluster.sender.check = [&] {
    if (++asked == 2) throw Error(Fault::Role, "this node is no master any more");
  };
  CHECK(cluster.failure().fault() == Fault::Role);
}

TEST_CASE("sender: a client that only talks is not asked for a check", "[sync]") {
  Cluster cluster;
  cluster.sender.check = [] { throw Error(Fault::Role, "no master"); };
  SteadyClock clock;
  test::converse(
      [&](Channel& channel) {
        channel.connect({});
        channel.finish("done");
      },
      [&](Channel& channel) { CHECK(serve(channel, cluster.sender, clock) == "done"); });
}

TEST_CASE("sender: when nothing changed it ends by itself", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.pull();
  SteadyClock clock;
  PullRequest request = cluster.request;
  request.run_id = 99;
  std::string outcome;
  std::optional<Message> behind;
  test::converse(
      [&](Channel& channel) {
        Receiver receiver(request, clock);
        CHECK_FALSE(receiver.run(channel).changed);
        behind = channel.receive();  // the client itself does not wait for it
      },
      [&](Channel& channel) { outcome = serve(channel, cluster.sender, clock); });
  CHECK(outcome == "nothing to do");
  CHECK(behind == Message(Bye{"nothing to do"}));
}

TEST_CASE("sender: a client that leaves behind the seal without a word is no failure", "[sync]") {
  Cluster cluster;
  cluster.fill();
  SteadyClock clock;
  std::string outcome;
  test::converse(
      [&](Channel& channel) {
        Hello hello;
        hello.root = cluster.primary.path();
        hello.index.emplace();
        hello.options.inline_limit = limits::kInline;
        channel.connect(hello);
        Message message = channel.receive();
        REQUIRE(std::holds_alternative<Manifest>(message));
        channel.send(Enough{0});
        REQUIRE(std::holds_alternative<Seal>(channel.receive()));
      },
      [&](Channel& channel) { outcome = serve(channel, cluster.sender, clock); });
  CHECK_THAT(outcome, Contains("sealed"));
}

// Two entries of a client may look alike, and one that lies may say anything: what it gets is
// complete for what it told.
TEST_CASE("sender: an index answers for each of its entries once", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.pull();
  SteadyClock clock;
  Hello hello;
  hello.root = cluster.primary.path();
  hello.options.scan = {Scan::Recursive};
  hello.options.compare = Compare::SizeOnly;
  const auto answer_to = [&](const Hello& asked) {
    Manifest manifest;
    test::converse(
        [&](Channel& channel) {
          channel.connect(asked);
          manifest = std::get<Manifest>(channel.receive());
        },
        [&](Channel& channel) { test::thrown_by([&] { serve(channel, cluster.sender, clock); }); });
    return manifest;
  };
  const Entries all = answer_to(hello).entries;
  const auto ask = [&](const std::function<void(std::vector<std::uint64_t>&)>& change) {
    Hello indexed = hello;
    indexed.index = Index{5, fingerprints(all, hello.options, 5)};
    change(indexed.index->prints);
    return answer_to(indexed);
  };
  const Manifest same = ask([](auto&) {});
  CHECK(same.entries.list.empty());
  CHECK(same.gone.empty());
  const Manifest twice = ask([](auto& prints) { prints.push_back(prints[1]); });
  CHECK(twice.entries.list.empty());
  REQUIRE(twice.gone.size() == 1);
  const Manifest changed = ask([](auto& prints) { prints[2] ^= 1; });
  CHECK(changed.entries.list.size() == 1);
  CHECK(changed.gone == std::vector<std::uint32_t>{2});
  const Manifest moved = ask([](auto& prints) { prints.insert(prints.begin(), 1); });
  CHECK(moved.entries.list.empty());
  CHECK(moved.gone == std::vector<std::uint32_t>{0});
}

TEST_CASE("sender: the tree is chosen by the path that the client asks for", "[sync]") {
  Cluster cluster;
  cluster.fill();
  const SenderConfig base = cluster.sender;
  cluster.sender.choose = [&](const std::string& asked) {
    if (asked != "/the signer") throw Error(Fault::Selection, "not served");
    SenderConfig chosen = base;
    chosen.below = "signer";
    return chosen;
  };
  cluster.request.root = "/the signer";
  CHECK(cluster.pull().changed);
  CHECK(cluster.secondary.read("keyconf.xml") == "<keys/>");
  CHECK(cluster.secondary.exists("softtoken/key.p12"));
  CHECK_FALSE(cluster.secondary.exists("signer"));
  CHECK_FALSE(cluster.pull().changed);
  cluster.request.root = cluster.primary.path();
  CHECK(cluster.failure().fault() == Fault::Selection);
}

TEST_CASE("sender: a directory below the root is never reached through a symbolic link", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.primary.symlink("way", "signer");
  for (const char* below : {"way", "way/softtoken", "signer/keyconf.xml", "nowhere"}) {
    cluster.sender.below = below;
    INFO(below);
    CHECK_NOTHROW(cluster.failure());
  }
}

TEST_CASE("sender: more entries than it may hold end the session", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.sender.max_entries = 3;
  CHECK(cluster.failure().fault() == Fault::Memory);
}

TEST_CASE("sender: a file that the server excludes cannot be read as a file of rules", "[sync]") {
  Cluster cluster;
  cluster.primary.file("db.properties", "zzz secret\n").dir("d").file("d/db.properties", "zzz 2\n");
  cluster.primary.file("d/open", "+ x\n").dir("hidden").file("hidden/rules", "zzz third\n");
  cluster.sender.mandatory.exclude("db.properties");
  cluster.sender.mandatory.exclude("/hidden");
  for (const char* rule : {": db.properties", ": /db.properties", ": /hidden/rules"}) {
    INFO(rule);
    cluster.request.filters = {};
    cluster.request.filters.filter(rule);
    CHECK_NOTHROW(cluster.pull());
    CHECK_FALSE(cluster.secondary.exists("db.properties"));
  }
  SECTION("nor through a rule file that leads to it") {
    cluster.primary.file("d/.rules", ". db.properties\n");
    cluster.request.filters = {};
    cluster.request.filters.filter(": .rules");
    const Error error = cluster.failure();
    CHECK_THAT(error.text(), !Contains("zzz"));
  }
  SECTION("while one that it shows is") {
    cluster.request.filters = {};
    cluster.request.filters.filter(": open");
    cluster.primary.file("d/open", "- skipped\n").file("d/skipped");
    cluster.pull();
    CHECK_FALSE(cluster.secondary.exists("d/skipped"));
  }
}

TEST_CASE("sender: the account of a session says what was sent", "[sync]") {
  Cluster cluster;
  cluster.fill();
  SessionAccount account;
  cluster.sender.account = &account;
  const PullResult result = cluster.pull();
  REQUIRE(account.hello);
  CHECK(account.hello->root == cluster.primary.path());
  CHECK_FALSE(account.unchanged);
  CHECK(account.entries == result.entries - 1);  // the root itself is alike
  CHECK(account.files == 5);
  CHECK(account.bytes == result.total_size);
  account = {};
  cluster.pull();
  CHECK(account.unchanged);
  CHECK(account.files == 0);
}

TEST_CASE("sender: a scan ahead of the hello changes nothing but the time", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.primary.file("note.tmp");
  cluster.request.choose_compare = false;
  SenderConfig::Expectation expected{cluster.request.options, {}};
  SECTION("what was expected") {}
  SECTION("other options") { expected.options.keep = {}; }
  SECTION("other filters") {
    expected.filters.exclude("*");
    cluster.request.filters.exclude("*.tmp");
  }
  SECTION("another tree") {
    const SenderConfig base = cluster.sender;
    cluster.sender.choose = [base](const std::string&) { return base; };
    cluster.sender.root = "/";
  }
  SECTION("an expected tree that is not there") {
    const SenderConfig base = cluster.sender;
    cluster.sender.choose = [base](const std::string&) { return base; };
    cluster.sender.root = "/nowhere/at all";
  }
  cluster.sender.expected = expected;
  CHECK(cluster.pull().changed);
  CHECK(cluster.secondary.read("signer/keyconf.xml") == "<keys/>");
  CHECK(cluster.secondary.exists("note.tmp") == cluster.request.filters.rules().empty());
  CHECK_FALSE(cluster.pull().changed);
}

TEST_CASE("sender: a client that lies about its hello while the scan is ahead hears of it",
          "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.sender.expected = SenderConfig::Expectation{cluster.request.options, {}};
  SteadyClock clock;
  const auto error = test::thrown_by([&] {
    test::converse(
        [&](Channel& channel) {
          channel.greet();
          channel.abort(Error(Fault::Interrupted, "changed my mind"));
        },
        [&](Channel& channel) { serve(channel, cluster.sender, clock); });
  });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("changed my mind"));
}
