// SPDX-License-Identifier: MIT
// Owners and groups that cannot be set here: without effect, as with rsync. A run whose source has
// them must come to an end: the second one finds nothing to do.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "sync/hash.h"
#include "sync/served_tree.h"
#include "tests/support/catch.h"
#include "tests/support/cluster.h"
#include "tests/support/mixes.h"
#include "tests/support/rsync.h"

using namespace xs;
using test::Cluster;
using test::Mix;
using test::TempTree;

namespace {

constexpr gid_t kOther = 1;
constexpr uid_t kNobody = 65534;

void fill(TempTree& tree) {
  tree.dir("d").file("d/f", "same").file("ours", "text").symlink("l", "ours");
  for (const char* path : {"d", "d/f", "l"}) tree.owner(path, 0, kOther);
  tree.owner("ours", 0, kNobody);
}

void give_all(const TempTree& tree) {
  if (::chown(tree.path().c_str(), kNobody, kNobody) != 0) throw_errno("chown", tree.path());
}

// What a server says that has one file of these two, and a second time the same.
Entries one_file(const Principal& user, const Principal& group) {
  Entries entries;
  entries.users = {{"", 0}, user};
  entries.groups = {{"", 0}, group};
  Entry root;
  root.type = EntryType::Dir;
  root.mode = 0755;
  Entry file;
  file.path = "file";
  file.content = "abc";
  file.inlined = true;
  file.size = 3;
  file.mode = 0644;
  file.digest = digest_of("abc");
  file.owner = file.group = 1;
  entries.list = {root, file};
  return entries;
}

PullResult pull_from(Cluster& cluster, const Entries& entries) {
  SteadyClock clock;
  PullResult result;
  ++cluster.request.run_id;
  test::converse(
      [&](Channel& channel) {
        Receiver receiver(cluster.request, clock);
        result = receiver.run(channel);
      },
      [&](Channel& channel) {
        channel.greet();
        const Hello hello = channel.accept();
        channel.welcome({kOurFeatures, "", {}});
        std::vector<std::uint32_t> gone;  // all that the client told of, which we have otherwise
        for (std::uint32_t at = 0; hello.index && at < hello.index->prints.size(); ++at) {
          gone.push_back(at);
        }
        channel.send(Manifest{entries, gone, {}, Part::Complete});
        channel.send(Seal{generation(entries, hello.options), 2, 3});
        channel.receive();
      });
  return result;
}

}  // namespace

TEST_CASE("owners: what a user cannot set is without effect, as with rsync", "[sync]") {
  if (::geteuid() != 0) {
    WARN("needs root: a source with other owners");
    return;
  }
  const bool compare = test::rsync_is_here();
  TempTree source, theirs, ours;
  fill(source);
  give_all(theirs);
  give_all(ours);
  const int result = test::as_nobody([&] {
    Mix mix = test::plain();
    for (int run = 0; run < 2 && compare; ++run) {
      const test::Outcome outcome =
          test::rsync({"-a", "-i", "--checksum"}, source.path(), theirs.path());
      if (outcome.end != test::kCleanEnd || outcome.out.empty() != (run == 1)) return 10 + run;
    }
    for (int run = 0; run < 3; ++run) {
      const PullResult done = test::pull(source, ours.path(), mix.request);
      if (done.changed != (run == 0) || !done.problems.empty()) return 20 + run;
    }
    return 0;
  });
  CHECK(result == 0);
  for (const char* path : {"d", "d/f", "ours", "l"}) {
    INFO(path);
    CHECK(ours.stat(path).st_uid == kNobody);
    if (!compare) continue;
    CHECK(ours.stat(path).st_gid == theirs.stat(path).st_gid);
    CHECK(ours.stat(path).st_mode == theirs.stat(path).st_mode);
  }
}

TEST_CASE("owners: a group of ours is still set, and still a difference", "[sync]") {
  if (::geteuid() != 0) {
    WARN("needs root: a source with other owners");
    return;
  }
  TempTree source, ours;
  source.file("f", "same");
  ours.file("f", "same");
  source.owner("f", 0, kNobody);
  give_all(ours);
  ours.owner("f", kNobody, kOther);
  CHECK(test::as_nobody([&] {
          const Mix mix = test::plain();
          if (!test::pull(source, ours.path(), mix.request).changed) return 1;
          return test::pull(source, ours.path(), mix.request).changed ? 2 : 0;
        }) == 0);
  CHECK(ours.stat("f").st_gid == kNobody);
}

TEST_CASE("owners: a name that is unknown here makes no difference, also to root", "[sync]") {
  if (::geteuid() != 0) {
    WARN("needs root: owners that count");
    return;
  }
  Cluster cluster;
  std::optional<Entries> entries;
  SECTION("a user") { entries = one_file({"nobody knows this one", 4321}, {"", kOther}); }
  SECTION("a group") { entries = one_file({"", kNobody}, {"nobody knows this one", 4321}); }
  CHECK(pull_from(cluster, *entries).changed);
  CHECK_FALSE(pull_from(cluster, *entries).changed);
  const struct stat now = cluster.secondary.stat("file");
  CHECK((now.st_gid == kOther || now.st_uid == kNobody));
  cluster.secondary.owner("file", kNobody, kOther);  // and what it has is left to it
  CHECK_FALSE(pull_from(cluster, *entries).changed);
  entries->list[1].content = "new";
  entries->list[1].digest = digest_of("new");
  CHECK(pull_from(cluster, *entries).changed);
  CHECK(cluster.secondary.read("file") == "new");
  CHECK(cluster.secondary.stat("file").st_uid == kNobody);
  CHECK(cluster.secondary.stat("file").st_gid == kOther);
}

TEST_CASE("owners: a scan with owners serves a client that does not keep them", "[sync]") {
  TempTree source;
  source.file("f", "x");
  if (::geteuid() == 0) source.owner("f", kOther, 0);
  const Options all = test::plain().request.options;
  Options ours = all;
  ours.keep = all.keep.without({Keep::Owner});
  REQUIRE(ServedTree::same_walk(all, ours));
  CHECK_FALSE(ServedTree::same_walk(ours, all));
  SteadyClock clock;
  ServedTree ahead(source.path(), {all, {}, {}, {}}, clock);
  ahead.compare_as(ours);
  ServedTree fresh(source.path(), {ours, {}, {}, {}}, clock);
  CHECK(ahead.generation() == fresh.generation());
  CHECK(ahead.tree().entries == fresh.tree().entries);
  CHECK(ahead.look_again().empty());
}
