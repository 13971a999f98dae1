// SPDX-License-Identifier: MIT
// The rules of a transfer against the real rsync: random trees, random mixes of the options that
// decide what is taken over and how. Both must come to the same tree: types, modes, owners,
// targets, bytes. A second run of ours must change nothing. XS_ROUNDS sets the number of mixes,
// XS_SEED the first seed.
#include <unistd.h>

#include <random>
#include <string>
#include <vector>

#include "sync/transfer_policy.h"
#include "tests/support/catch.h"
#include "tests/support/mixes.h"
#include "tests/support/rsync.h"
#include "tests/support/setting.h"

using namespace xs;
using test::chance;
using test::DiskTree;
using test::expect_same;
using test::kSecond;
using test::Mix;
using test::one_of;
using test::Picture;
using test::plain;
using test::pull;
using test::rsync_is_here;
using test::setting;
using test::tame;
using test::TempTree;
using test::text_of;

namespace {

void which(std::mt19937_64& random, Mix& mix) {
  TransferRules& rules = mix.request.transfer;
  const auto flag = [&](bool& field, const char* option) {
    if (!chance(random, 4)) return;
    field = true;
    mix.options.emplace_back(option);
  };
  flag(rules.existing_only, "--existing");
  flag(rules.ignore_existing, "--ignore-existing");
  flag(rules.update, "-u");
  flag(rules.safe_links, "--safe-links");
  flag(rules.force, "--force");
  flag(mix.request.remove, "--delete");
  if (chance(random, 4)) {
    rules.max_size = test::below(random, 40);
    mix.options.push_back("--max-size=" + std::to_string(*rules.max_size) + "b");
  }
  if (chance(random, 4)) {
    rules.min_size = test::below(random, 20);
    mix.options.push_back("--min-size=" + std::to_string(*rules.min_size) + "b");
  }
  if (chance(random, 4)) {
    rules.modify_window_ns = kSecond;
    mix.options.emplace_back("--modify-window=1");
  }
  if (chance(random, 4)) {
    mix.request.options.scan = mix.request.options.scan | Flags<Scan>{Scan::PruneEmptyDirs};
    mix.options.emplace_back("-m");
  }
}

void how(std::mt19937_64& random, Mix& mix) {
  TransferRules& rules = mix.request.transfer;
  static const std::vector<std::string> kModes = {
      "D755,F644", "u+X",  "go=", "a+rX,u+w", "Fg=u", "o=g",       "+x",
      "=rw",       "Dg+w", "700", "g=r,o-r",  "F-x",  "Du+rwx,o=", "a-w,+t"};
  while (chance(random, 3)) {
    rules.modes.push_back(one_of(random, kModes));
    mix.options.push_back("--chmod=" + rules.modes.back());
  }
  static const std::vector<std::string> kMaps = {
      "0:1", "root:daemon", "*:2", "d*:bin,0-3:sys", "1-9:0", "bin:nobody", "99:1,r*:3", ":5"};
  if (::geteuid() == 0 && chance(random, 4)) {
    rules.user_maps.push_back(one_of(random, kMaps));
    mix.options.push_back("--usermap=" + rules.user_maps.back());
  } else if (::geteuid() == 0 && chance(random, 4)) {
    add_chown(rules, "daemon:bin");
    mix.options.emplace_back("--chown=daemon:bin");
  }
  static const std::vector<Compare> kCompare = {Compare::Content, Compare::Quick, Compare::SizeOnly,
                                                Compare::Always};
  mix.request.options.compare = one_of(random, kCompare);
  switch (mix.request.options.compare) {
    case Compare::Content: mix.options.emplace_back("-c"); break;
    case Compare::SizeOnly: mix.options.emplace_back("--size-only"); break;
    case Compare::Always: mix.options.emplace_back("-I"); break;
    default: break;
  }
}

}  // namespace

TEST_CASE("transfer: random mixes of rules come out as rsync's do", "[sync]") {
  if (!rsync_is_here()) return;
  const std::uint64_t first_seed = test::random_seed();
  const std::uint64_t rounds = setting("XS_ROUNDS", 120);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::mt19937_64 random(first_seed + round);
    DiskTree source_tree = test::random_tree(random, {});
    DiskTree before_tree = test::earlier(random, {}, source_tree);
    tame(random, source_tree);
    tame(random, before_tree);
    Mix mix = plain();
    which(random, mix);
    how(random, mix);
    TempTree source, theirs, ours;
    make(source, source_tree);
    make(theirs, before_tree);
    make(ours, before_tree);
    const Picture before = picture(ours);
    const std::string said = rsync(mix, source, theirs);
    INFO("XS_SEED=" << first_seed + round << " XS_ROUNDS=1 " << text_of(mix) << "\n" << said);
    pull(source, ours.path(), mix.request);
    // Under --ignore-existing rsync leaves a file where the source has a directory, tries to go
    // below it all the same, and gives up its deletions; we leave what is below alone.
    if (said.find("Not a directory (20)") == std::string::npos) {
      expect_same(picture(source), before, picture(ours), picture(theirs));
    }
    if (mix.request.options.compare != Compare::Always) {
      CHECK_FALSE(pull(source, ours.path(), mix.request).changed);
    }
  }
}

TEST_CASE("is_unsafe_link: links are safe here when they are safe to rsync", "[sync]") {
  if (!rsync_is_here()) return;
  const std::vector<std::string> targets = {
      "/",          "..",       "../..",   "a",         "a/..",  "a/../..", "../a",   "./..",
      "../../a",    "a/./../b", "../a/..", ".././../b", "a/b/c", "./a/..",  "..a",    "a..",
      "../b/../..", ".//a",     "a//..",   "..//a",     "../.",  "./",      "../..//"};
  TempTree source, theirs;
  for (const std::string dir : {"", "d/", "d/e/"}) {
    for (std::size_t at = 0; at < targets.size(); ++at) {
      source.symlink(dir + std::to_string(at), targets[at]);
    }
  }
  Mix mix = plain();
  mix.options.emplace_back("--safe-links");
  rsync(mix, source, theirs);
  for (const std::string dir : {"", "d/", "d/e/"}) {
    for (std::size_t at = 0; at < targets.size(); ++at) {
      const std::string path = dir + std::to_string(at);
      INFO(path << " -> " << targets[at]);
      CHECK(is_unsafe_link(path, targets[at]) == !theirs.exists(path));
    }
  }
}

TEST_CASE("transfer: more deletions than --max-delete are refused before anything", "[sync]") {
  TempTree source, ours;
  source.file("new", "n");
  ours.file("a", "1").file("d/b", "2");
  Mix mix = plain();
  mix.request.remove = true;
  mix.request.transfer.max_delete = 2;
  try {
    pull(source, ours.path(), mix.request);
    FAIL("it was done");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Refused);
  }
  CHECK_FALSE(ours.exists("new"));
  CHECK(ours.exists("d/b"));
  mix.request.transfer.max_delete = 3;
  CHECK(pull(source, ours.path(), mix.request).changed);
  CHECK_FALSE(ours.exists("d"));
}

TEST_CASE("transfer: a destination is made, one level or with --mkpath all", "[sync]") {
  TempTree source, ours;
  source.file("f", "x");
  Mix mix = plain();
  CHECK_THROWS_AS(pull(source, ours.path_of("one"), mix.request), Error);
  mix.request.make_destination = MakeDestination::Last;
  pull(source, ours.path_of("one/"), mix.request);
  CHECK(ours.read("one/f") == "x");
  try {
    pull(source, ours.path_of("two/three/four"), mix.request);
    FAIL("it was made");
  } catch (const Error& error) {
    CHECK(exit_code(error.fault()) == 11);
  }
  CHECK_FALSE(ours.exists("two"));
  mix.request.make_destination = MakeDestination::Path;
  pull(source, ours.path_of("two/three/four"), mix.request);
  CHECK(ours.read("two/three/four/f") == "x");
}

TEST_CASE("transfer: links that nobody asked for are passed over, as rsync does", "[sync]") {
  const bool compare = rsync_is_here();
  TempTree source, theirs, ours;
  source.file("f", "x").symlink("l", "f").symlink("m", "nowhere").file("d/g", "y");
  for (TempTree* tree : {&theirs, &ours}) tree->file("l", "mine").symlink("old", "f");
  Mix mix = plain();
  mix.options = {"-r"};
  mix.request.options.keep = {};
  mix.request.remove = true;
  mix.options.emplace_back("--delete");
  if (compare) CHECK(rsync(mix, source, theirs) == test::kCleanEnd);
  const PullResult result = pull(source, ours.path(), mix.request);
  CHECK(result.problems.empty());
  REQUIRE(result.notes.size() == 1);
  CHECK(result.notes[0].find("symbolic link") != std::string::npos);
  CHECK(ours.read("l") == "mine");
  CHECK_FALSE(ours.exists("m"));
  CHECK(ours.read("d/g") == "y");
  if (compare) CHECK(theirs.read("l") == "mine");
  const PullResult again = pull(source, ours.path(), mix.request);
  CHECK_FALSE(again.changed);
  CHECK(again.problems.empty());
  source.file("old", "a file, where we have a link");
  const PullResult in_the_way = pull(source, ours.path(), mix.request);
  REQUIRE(in_the_way.problems.size() == 1);
  CHECK(in_the_way.problems[0].path == "old");
}

// Told in DIFFERENCES of xroad-sync(1), with the reasons.
TEST_CASE("transfer: without times a new file has the source's all the same, and rsync's its own",
          "[sync]") {
  const bool compare = rsync_is_here();
  TempTree source, theirs, ours;
  source.file("f", "x").mtime("f", kSecond);
  Mix mix = plain();
  mix.options = {"-r"};
  mix.request.options.keep = {};
  if (compare) rsync(mix, source, theirs);
  mix.request.options.compare = Compare::Quick;
  CHECK(pull(source, ours.path(), mix.request).changed);
  CHECK(ours.stat("f").st_mtim.tv_sec == 1);
  if (compare) CHECK(theirs.stat("f").st_mtim.tv_sec > 1);
  CHECK_FALSE(pull(source, ours.path(), mix.request).changed);
}

TEST_CASE("transfer: the directories of backups are private, where rsync's are open", "[sync]") {
  const bool compare = rsync_is_here();
  TempTree source, theirs, ours;
  source.file("d/f", "new");
  for (TempTree* tree : {&theirs, &ours}) tree->file("d/f", "old");
  Mix mix = plain();
  mix.options = {"-a", "-c", "--backup", "--backup-dir=kept"};
  mix.request.transfer.backup = true;
  mix.request.transfer.backup_dir = "kept";
  if (compare) rsync(mix, source, theirs);
  pull(source, ours.path(), mix.request);
  CHECK(ours.read("kept/d/f") == "old");
  CHECK((ours.stat("kept").st_mode & 0777U) == 0700U);
  if (compare) CHECK((theirs.stat("kept").st_mode & 0077U) != 0);
}
