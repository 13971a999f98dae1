// SPDX-License-Identifier: MIT
// The whole engine against the real rsync: random sources, and destinations that are what they were
// some random changes ago. `rsync -a --delete --checksum` into one copy and ours into the other
// must come to the same tree: types, modes, owners, targets, bytes, hard links (-H), user
// attributes
// (-X), ACLs (-A). Ours must also be what the source is. XS_ROUNDS sets the number of trees,
// XS_SEED the first seed.
//
// Where we differ from rsync by design, and why (each is asserted below):
//  - A time-only difference of a file is none when contents are compared (design.md 4): the
//    signer's habit of rewriting a file must cause no write. rsync sets the time.
//  - The time of a directory or symbolic link alone is no change either, for the same reason; and
//    a rename into a directory, ours or X-Road's own, changes its time anyway. rsync sets both.
//  - Names that share a file at the destination, and do not at the source, are parted under -H.
//    rsync leaves such extra links as they are while the bytes agree, so that the names share one
//    mode and owner whatever the source says.
//  - Setuid and setgid files end the run before anything is touched (design.md 6). rsync copies
//    them.
//  - Fifos, sockets and devices are problems unless asked for (they have no place in a
//    configuration), and an old object in the way of one stays. rsync's -a asks for them (-D).
//  - The ACL of a sticky directory is copied as it is. rsync (3.5.0) clears its group's entry.
//  - .xroad-sync in the root is ours alone.
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <random>
#include <set>

#include "base/text.h"
#include "sync/receiver.h"
#include "sync/sender.h"
#include "tests/support/catch.h"
#include "tests/support/converse.h"
#include "tests/support/disk_trees.h"
#include "tests/support/rsync.h"
#include "tests/support/setting.h"

using namespace xs;
using test::Picture;
using test::rsync_is_here;
using test::Seen;
using test::setting;
using test::TempTree;
using test::Variant;

namespace {

// ---- one comparison

struct Copies {
  Picture source, before, ours, rsync;
};

// Whether this name at the destination shared more than it does at the source.
bool shared_more(const Copies& all, const std::string& path) {
  const auto before = all.before.find(path);
  const auto source = all.source.find(path);
  if (before == all.before.end() || source == all.source.end()) return false;
  for (const auto& [other, seen] : all.before) {
    const auto at = all.source.find(other);
    if (other == path || seen.first.empty() || seen.first != before->second.first) continue;
    if (at != all.source.end() && at->second.first != source->second.first) return true;
  }
  return false;
}

// Files of which a name shared more than at the source: rsync gives new names the same company.
bool had_extra_links(const Copies& all, const std::string& path) {
  const auto source = all.source.find(path);
  if (source == all.source.end()) return false;
  if (source->second.first.empty()) return shared_more(all, path);
  for (const auto& [name, seen] : all.source) {
    if (seen.first == source->second.first && shared_more(all, name)) return true;
  }
  return false;
}

// Contents that were there before, perhaps under another name of the file, may keep their old time.
bool time_is_right(const Copies& all, const std::string& path) {
  const Seen& ours = all.ours.at(path);
  if (!ours.is_file() || ours.mtime == all.source.at(path).mtime) return true;
  for (const auto& [name, seen] : all.before) {
    const auto now = all.ours.find(name);
    if (now == all.ours.end() || now->second.first != ours.first || !seen.is_file()) continue;
    if (seen.content == ours.content && seen.mtime == ours.mtime) return true;
  }
  return false;
}

bool is_sticky_dir(const Seen& seen) { return S_ISDIR(seen.mode) && (seen.mode & S_ISVTX) != 0; }

bool is_right(const Copies& all, const std::string& path) {
  const auto ours = all.ours.find(path);
  const auto source = all.source.find(path);
  const auto rsync = all.rsync.find(path);
  if (ours == all.ours.end() || source == all.source.end() || rsync == all.rsync.end())
    return false;
  if (!ours->second.same_but_for_time(source->second) || !time_is_right(all, path)) return false;
  Seen theirs = rsync->second;
  if (is_sticky_dir(theirs)) theirs.acl = source->second.acl;
  return ours->second.same_but_for_time(theirs) || had_extra_links(all, path);
}

void compare(const Copies& all) {
  std::set<std::string> paths;
  for (const Picture* one : {&all.source, &all.ours, &all.rsync}) {
    for (const auto& [path, seen] : *one) paths.insert(path);
  }
  for (const std::string& path : paths) {
    if (is_right(all, path)) continue;
    FAIL_CHECK("'" << escape(path) << "'\n  source " << describe(all.source, path) << "\n  before "
                   << describe(all.before, path) << "\n  ours   " << describe(all.ours, path)
                   << "\n  rsync  " << describe(all.rsync, path));
  }
}

PullResult pull(const TempTree& source, const TempTree& destination, const Variant& variant,
                bool specials = true) {
  SenderConfig config;
  config.root = source.path();
  config.version = "test";
  PullRequest request;
  request.destination = destination.path();
  request.root = source.path();
  request.options.keep = {Keep::Permissions, Keep::Times, Keep::Owner, Keep::Group, Keep::Symlinks};
  const auto also = [&](bool wanted, Flags<Keep> more) {
    if (wanted) request.options.keep = request.options.keep | more;
  };
  also(variant.links, {Keep::Hardlinks});
  also(variant.xattrs, {Keep::Xattrs});
  also(variant.acls, {Keep::Acls});
  also(specials, {Keep::Specials, Keep::Devices});
  request.options.scan = {Scan::Recursive};
  request.options.inline_limit = 4096;
  request.choose_compare = false;
  request.allow_empty = true;
  request.keep.count = 0;
  request.run_id = 1;
  SteadyClock clock;
  PullResult result;
  test::converse([&](Channel& channel) { result = Receiver(request, clock).run(channel); },
                 [&](Channel& channel) { serve(channel, config, clock); });
  return result;
}

// False where rsync (3.5.0) gives up by itself: it asks for the default ACL of what is no directory
// any more, and calls the answer (EACCES) a failure.
bool rsync(const TempTree& source, const TempTree& destination, const Variant& variant) {
  std::vector<std::string> options = {"-a", "--delete", "--checksum"};
  if (variant.links) options.emplace_back("-H");
  if (variant.acls) options.emplace_back("-A");
  if (variant.xattrs) options.emplace_back("-X");
  const std::string end = test::rsync(options, source.path(), destination.path()).end;
  if (end.find("sys_acl_get_file") != std::string::npos) return false;
  REQUIRE(end == test::kCleanEnd);
  return true;
}

std::optional<Copies> both(const test::DiskTree& source_tree, const test::DiskTree& before_tree,
                           const Variant& variant) {
  TempTree source, theirs, ours;
  make(source, source_tree);
  make(theirs, before_tree);
  make(ours, before_tree);
  Copies all;
  all.source = picture(source);
  all.before = picture(ours);
  const bool comparable = rsync(source, theirs, variant);
  CHECK(pull(source, ours, variant).problems.empty());
  all.rsync = picture(theirs);
  all.ours = picture(ours);
  CHECK_FALSE(pull(source, ours, variant).changed);
  if (!comparable) return std::nullopt;
  return all;
}

}  // namespace

TEST_CASE("versus rsync: random trees come out as rsync -a --delete --checksum makes them",
          "[sync]") {
  if (!rsync_is_here()) return;
  const Variant can = test::supported();
  if (!can.xattrs || !can.acls) WARN("no user attributes or ACLs on this file system");
  const std::uint64_t first_seed = test::random_seed();
  const std::uint64_t rounds = setting("XS_ROUNDS", 80);
  std::uint64_t failed = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::mt19937_64 random(first_seed + round);
    Variant variant;
    variant.links = test::chance(random, 2);
    variant.xattrs = can.xattrs && test::chance(random, 2);
    variant.acls = can.acls && test::chance(random, 2);
    INFO("XS_SEED=" << first_seed + round << " XS_ROUNDS=1" << (variant.links ? " -H" : "")
                    << (variant.xattrs ? " -X" : "") << (variant.acls ? " -A" : ""));
    const test::DiskTree source = test::random_tree(random, variant);
    const test::DiskTree before = test::earlier(random, variant, source);
    const auto copies = both(source, before, variant);
    if (copies) compare(*copies);
    if (!copies) ++failed;
  }
  CHECK(failed <= 1 + rounds / 10);
}

TEST_CASE("versus rsync: times alone are no change here, and are there", "[sync]") {
  if (!rsync_is_here()) return;
  TempTree source, theirs, ours;
  for (TempTree* tree : {&source, &theirs, &ours}) {
    tree->dir("d").file("f", "same").symlink("l", "f");
    for (const char* name : {"d", "f", "l"})
      tree->mtime(name, tree == &source ? 2'000'000'000 : 1'000'000'000);
  }
  REQUIRE(rsync(source, theirs, {}));
  CHECK_FALSE(pull(source, ours, {}).changed);
  for (const char* name : {"d", "f", "l"}) {
    CHECK(ours.stat(name).st_mtim.tv_sec == 1);
    CHECK(theirs.stat(name).st_mtim.tv_sec == 2);
  }
}

TEST_CASE("versus rsync: a setuid file is refused here, and copied there", "[sync]") {
  if (!rsync_is_here()) return;
  TempTree source, theirs, ours;
  source.file("f", "x").file("su", "x", 04755);
  REQUIRE(rsync(source, theirs, {}));
  CHECK((theirs.stat("su").st_mode & S_ISUID) != 0);
  CHECK_THROWS_AS(pull(source, ours, {}), Error);
  CHECK_FALSE(ours.exists("f"));
}

TEST_CASE("versus rsync: a fifo is a problem here unless asked for, and copied there", "[sync]") {
  if (!rsync_is_here()) return;
  TempTree source, theirs, ours;
  source.fifo("p").file("f", "x");
  theirs.file("p", "in the way");
  ours.file("p", "in the way");
  REQUIRE(rsync(source, theirs, {}));
  CHECK(S_ISFIFO(theirs.stat("p").st_mode));
  const PullResult result = pull(source, ours, {}, false);
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].path == "p");
  CHECK(ours.read("p") == "in the way");
  CHECK(ours.read("f") == "x");
}
