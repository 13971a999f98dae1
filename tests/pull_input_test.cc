// SPDX-License-Identifier: MIT
// What an operator can ask for by mistake, and what a machine can have lost: roots that are wrong,
// gone, closed, empty, files, or inside one another; mount points; rules that are none. The answer
// is the reason, the exit code of its class, and a tree that nobody touched.
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "sync/hash.h"
#include "sync/lock.h"
#include "tests/support/catch.h"
#include "tests/support/cluster.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Matchers::Contains;
using test::Cluster;
using test::picture;

namespace {

constexpr int kNoMounts = 50;

// In a mount namespace of the child's own.
bool mount_memory(const std::string& at) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("none", at.c_str(), "tmpfs", 0, nullptr) == 0;
}

template <class Work>
Error error_of(Work&& work) {
  const auto error = test::thrown_by(work);
  REQUIRE(error);
  return *error;
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_file_at(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("input: a destination that is missing or no directory is refused before a connection",
          "[sync]") {
  Cluster cluster;
  SteadyClock clock;
  cluster.secondary.file("f", "precious");
  const auto fault_of = [&](const std::string& destination) {
    cluster.request.destination = destination;
    return error_of([&] { Receiver receiver(cluster.request, clock); });
  };
  const Error file = fault_of(cluster.secondary.path_of("f"));
  CHECK(file.fault() == Fault::Selection);
  CHECK_THAT(file.text(), Contains(cluster.secondary.path_of("f")));
  const Error gone = fault_of(cluster.secondary.path_of("gone"));
  CHECK(gone.fault() == Fault::Partial);
  CHECK_THAT(gone.text(), Contains(cluster.secondary.path_of("gone")));
  CHECK(cluster.secondary.read("f") == "precious");
  CHECK_FALSE(cluster.secondary.exists("gone"));
}

TEST_CASE("input: a source that we may not read ends with its path, and nothing is touched",
          "[sync]") {
  Cluster cluster;
  cluster.primary.dir("closed", 0311);
  cluster.secondary.file("precious", "x");
  std::filesystem::permissions(cluster.secondary.path(), std::filesystem::perms(0777));
  const auto before = picture(cluster.secondary);
  cluster.sender.root = cluster.request.root = cluster.primary.path_of("closed");
  CHECK(test::as_nobody([&cluster] {
          try {
            cluster.pull();
          } catch (const Error& error) {
            const bool named = error.text().find(cluster.sender.root) != std::string::npos;
            return error.fault() == Fault::Partial && named ? 0 : 1;
          }
          return 2;
        }) == 0);
  CHECK(picture(cluster.secondary) == before);
}

TEST_CASE("input: a source that goes away during the session deletes nothing", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.pull();
  cluster.primary.file("new", std::string(100'000, 'n'));
  cluster.request.approve = [&](const Plan&, const Entries&, const Entries&,
                                const std::vector<Problem>&) {
    std::filesystem::remove_all(cluster.primary.path());
  };
  const Fault fault = cluster.failure().fault();
  CHECK((fault == Fault::Vanished || fault == Fault::Partial || fault == Fault::Refused));
}

TEST_CASE("input: a destination inside its source is left out of it and named", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.primary.dir("backups/node");
  cluster.request.destination = cluster.primary.path_of("backups/node");
  for (int run = 0; run < 3; ++run) {
    const PullResult result = cluster.pull();
    REQUIRE(result.problems.size() == 1);
    CHECK(result.problems[0].path == "backups/node");
    CHECK_THAT(result.problems[0].what, Contains("destination"));
    CHECK(cluster.primary.read("backups/node/signer/keyconf.xml") == "<keys/>");
    CHECK_FALSE(cluster.primary.exists("backups/node/backups/node"));
  }
  cluster.request.filters.exclude("/backups/node");
  CHECK(cluster.pull().problems.empty());
}

TEST_CASE("input: a destination inside another one is never touched by the outer one", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.secondary.file("inner/kept", "theirs");
  { const Lock theirs = Lock::take(Dir::open_root(cluster.secondary.path_of("inner"))); }
  const PullResult result = cluster.pull();
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].path == "inner");
  CHECK(cluster.secondary.read("inner/kept") == "theirs");
  CHECK(cluster.secondary.read("signer/keyconf.xml") == "<keys/>");
}

TEST_CASE("input: a malformed rule is shown with its place, and the list is as it was", "[sync]") {
  FilterList filters;
  filters.exclude("*.tmp");
  const FilterList before = filters;
  const Error word = error_of([&] { filters.filter("exlude secret"); });
  CHECK(word.fault() == Fault::Usage);
  CHECK_THAT(word.text(), Contains("exlude secret"));
  const Error line = error_of([&] { filters.exclude_from("a\nb\n\n- \n", "rules.txt"); });
  CHECK(line.fault() == Fault::Usage);
  CHECK_THAT(line.text(), Contains("rules.txt") && Contains("4"));
  CHECK(filters == before);
}

// The server here is not ours: what it says of an index that it has not read.
TEST_CASE("input: places that the client never told of are refused", "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.pull();
  const auto before = picture(cluster.secondary, true);
  std::vector<Message> answer;
  Fault expected = Fault::Protocol;
  std::string why = "never told";
  const std::uint32_t entries = static_cast<std::uint32_t>(before.size() + 1);  // and the root
  SECTION("beyond the last") { answer = {Manifest{{}, {entries + 5}, {}, Part::Complete}}; }
  SECTION("without an index") {
    cluster.request.transfer.update = true;
    answer = {Manifest{{}, {0}, {}, Part::Complete}};
  }
  SECTION("twice, in two parts") {
    answer = {Manifest{{}, {1, 2}, {}, Part::More}, Manifest{{}, {2, 3}, {}, Part::Complete}};
    why = "out of order";
  }
  SECTION("a seal of something else") {  // as when two fingerprints collide
    answer = {Manifest{{}, {}, {}, Part::Complete}, Seal{}};
    expected = Fault::Mismatch;
    why = "what arrived is not what the server sealed";
  }
  cluster.request.run_id = 77;
  SteadyClock clock;
  const Error error = error_of([&] {
    test::converse(
        [&](Channel& channel) {
          Receiver receiver(cluster.request, clock);
          receiver.run(channel);
        },
        [&](Channel& channel) {
          channel.greet();
          channel.accept();
          channel.welcome({kOurFeatures, "", {}});
          for (const Message& message : answer) channel.send(message);
          test::thrown_by([&] { channel.receive(); });
        });
  });
  INFO(error.text());
  CHECK(error.fault() == expected);
  CHECK_THAT(error.text(), Contains(why));
  CHECK(picture(cluster.secondary, true) == before);
}

TEST_CASE("input: all that is wanted, and that it is all, leaves before any answer", "[sync]") {
  Cluster cluster;
  Entries entries;
  entries.users = entries.groups = {{"", 0}};
  Entry root;
  root.type = EntryType::Dir;
  root.mode = 0755;
  Entry file;
  file.path = "file";
  file.size = 3;
  file.mode = 0644;
  file.digest = digest_of("abc");
  entries.list = {root, file};
  std::vector<std::string> heard;
  SteadyClock clock;
  const auto error = test::thrown_by([&] {
    test::converse(
        [&](Channel& channel) {
          Receiver receiver(cluster.request, clock);
          receiver.run(channel);
        },
        [&](Channel& channel) {
          channel.greet();
          channel.accept();
          channel.welcome({kOurFeatures, "", {}});
          channel.send(Manifest{entries, {}, {}, Part::Last});
          for (int i = 0; i < 2; ++i) heard.emplace_back(spec_of(channel.receive()).name);
          channel.abort(Error(Fault::Vanished, "heard enough"));
        });
  });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("heard enough"));
  CHECK(heard == std::vector<std::string>{"want", "enough"});
}

// What is mounted below the destination stays, whatever the source has or lacks there.
TEST_CASE("input: within one file system a mount point is neither entered, replaced nor deleted",
          "[sync]") {
  Cluster cluster;
  cluster.fill();
  cluster.request.options.scan = {Scan::Recursive, Scan::OneFileSystem};
  cluster.secondary.dir("gone/mnt");
  std::size_t problems = 0;
  SECTION("the source lacks it") {}
  SECTION("the source has the directory alone") { cluster.primary.dir("gone/mnt"); }
  SECTION("the source has files in it") {
    cluster.primary.file("gone/mnt/theirs", "wrong").file("gone/mnt/kept", "wrong");
    problems = 1;
  }
  SECTION("the source has a file in its place") {
    cluster.primary.file("gone/mnt", "wrong");
    problems = 1;
  }
  SECTION("the source has a file in place of its parent") {
    cluster.primary.file("gone", "wrong");
    problems = 1;
  }
  const std::string at = cluster.secondary.path_of("gone/mnt");
  const int result = test::in_child([&] {
    if (!mount_memory(at)) return kNoMounts;
    write_file(at + "/kept", "ours");
    for (int run = 0; run < 2; ++run) {
      if (cluster.pull().problems.size() != problems) return 1;
      if (read_file_at(at + "/kept") != "ours") return 2;
      const std::filesystem::directory_iterator names(at);
      if (std::distance(begin(names), end(names)) != 1) return 3;
      if (!cluster.secondary.exists("signer/keyconf.xml")) return 4;
    }
    return 0;
  });
  if (result == kNoMounts) {
    WARN("needs root: a mount");
    return;
  }
  CHECK(result == 0);
}
