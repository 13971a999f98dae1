// SPDX-License-Identifier: MIT
// Backups: where old versions go, against the real rsync. XS_ROUNDS sets the number of trees,
// XS_SEED the first seed.
#include "sync/backup.h"

#include <sys/stat.h>

#include <random>

#include "tests/support/catch.h"
#include "tests/support/mixes.h"
#include "tests/support/rsync.h"
#include "tests/support/setting.h"

using namespace xs;
using test::chance;
using test::DiskTree;
using test::pull;
using test::rsync_is_here;
using test::setting;
using test::tame;
using test::TempTree;
using test::Twin;

TEST_CASE("backup: random trees keep their old versions where rsync keeps them", "[sync]") {
  if (!rsync_is_here()) return;
  const std::uint64_t first_seed = test::random_seed();
  for (std::uint64_t round = 0; round < setting("XS_ROUNDS", 60); ++round) {
    std::mt19937_64 random(first_seed + round);
    DiskTree source_tree = test::random_tree(random, {});
    DiskTree before_tree = test::earlier(random, {}, source_tree);
    tame(random, source_tree);
    tame(random, before_tree);
    Twin twin;
    make(twin.source, source_tree);
    twin.both([&](TempTree& tree) { make(tree, before_tree); });
    twin.mix.request.transfer.backup = true;
    twin.mix.options.emplace_back("-b");
    if (chance(random, 2)) {
      twin.mix.request.remove = true;
      twin.mix.options.emplace_back("--delete");
    }
    if (chance(random, 2)) {
      twin.mix.request.transfer.suffix = ".o[l]d";
      twin.mix.options.emplace_back("--suffix=.o[l]d");
    }
    INFO("XS_SEED=" << first_seed + round << " XS_ROUNDS=1");
    twin.run(false);
  }
}

TEST_CASE("backup: a backup directory holds what was replaced and deleted", "[sync]") {
  if (!rsync_is_here()) return;
  Twin twin;
  twin.source.file("a/f", "new").file("same", "same").symlink("l", "new").file("t", "was a dir");
  twin.both([](TempTree& tree) {
    tree.file("a/f", "old").file("same", "same").symlink("l", "old").file("gone/deep/g", "gone");
    tree.file("t/inner", "inner");
  });
  twin.mix.request.transfer.backup = true;
  twin.mix.request.transfer.backup_dir = "old/er";
  twin.mix.request.remove = true;
  pull(twin.source, twin.ours.path(), twin.mix.request);
  CHECK(twin.ours.read("a/f") == "new");
  CHECK(twin.ours.read("t") == "was a dir");
  CHECK(twin.ours.read("old/er/a/f") == "old");
  CHECK(twin.ours.read("old/er/gone/deep/g") == "gone");
  CHECK(twin.ours.read("old/er/t/inner") == "inner");
  CHECK_FALSE(twin.ours.exists("gone"));
  CHECK_FALSE(twin.ours.exists("old/er/same"));
  CHECK((twin.ours.stat("old").st_mode & 0777) == 0700);
  CHECK_FALSE(pull(twin.source, twin.ours.path(), twin.mix.request).changed);
  twin.source.file("a/f", "newer");
  pull(twin.source, twin.ours.path(), twin.mix.request);
  CHECK(twin.ours.read("old/er/a/f") == "new");
  CHECK(twin.ours.read("old/er/gone/deep/g") == "gone");
}

TEST_CASE("backup: places that cannot hold a backup are refused by name", "[sync]") {
  for (const char* dir : {"../old", "/elsewhere", ".", "a/../..", "/", ".xroad-sync/x", "/dest",
                          "/dest/", "/destination/x"}) {
    INFO(dir);
    TransferRules rules;
    rules.backup = true;
    rules.backup_dir = dir;
    CHECK_THROWS_AS(backup_rules(rules, "/dest"), Error);
  }
  TransferRules rules;
  rules.backup = true;
  rules.backup_dir = "/dest/./a//b";
  CHECK(backup_rules(rules, "/dest/").dir == "a/b");
  rules.suffix = "a/b";
  CHECK_THROWS_AS(backup_rules(rules, "/dest/"), Error);
}
