// SPDX-License-Identifier: MIT
// Lists of files: what they take and delete, against the real rsync. XS_ROUNDS sets the number of
// lists, XS_SEED the first seed.
#include "sync/files_from.h"

#include <random>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/mixes.h"
#include "tests/support/rsync.h"
#include "tests/support/setting.h"

using namespace xs;
using test::chance;
using test::Mix;
using test::one_of;
using test::plain;
using test::pull;
using test::rsync_is_here;
using test::setting;
using test::TempTree;
using test::Twin;

TEST_CASE("files_from: lists take what rsync takes, and delete nothing else", "[sync]") {
  if (!rsync_is_here()) return;
  const std::vector<std::string> names = {
      "a", "d/",     "d/e", "d/e/",    "d//e//f", "/a", "w*ld", "b[1]",  "back\\sl",
      ".", "nosuch", "d/x", "./d/e/f", "link",    "q",  "d",    "w*/x?", "tmp.tmp"};
  const std::uint64_t first_seed = test::random_seed();
  for (std::uint64_t round = 0; round < setting("XS_ROUNDS", 60); ++round) {
    std::mt19937_64 random(first_seed + round);
    Twin twin;
    twin.source.file("a", "a").file("d/e/f", "f").file("d/e/g", "g").file("d/h", "h");
    twin.source.file("w*ld", "w").file("wild", "no").file("b[1]", "b").file("b1", "no");
    twin.source.file("back\\sl", "b").symlink("link", "d").file("q/r", "r").file("w*/x?", "?");
    twin.source.file("w*/xy", "no").file("tmp.tmp", "t").file("d/e/y.tmp", "t").mode("d", 0711);
    twin.both([&](TempTree& tree) {
      tree.file("stays", "s").file("d/extra", "x").file("d/e/extra", "x").file("nosuch", "n");
      if (chance(random, 1)) tree.file("w*/other", "o");
    });
    std::vector<std::string> list;
    for (std::size_t left = 1 + test::below(random, 4); left > 0; --left) {
      list.push_back(one_of(random, names));
    }
    TempTree scratch;
    std::string text;
    for (const std::string& name : list) text += name + "\n";
    scratch.file("list", text);
    twin.mix.options.push_back("--files-from=" + scratch.path_of("list"));
    twin.mix.request.transfer.files = parse_file_list(text, false);
    if (chance(random, 2)) {
      twin.mix.options.emplace_back("-r");
      twin.mix.request.transfer.files_recursive = true;
    }
    if (chance(random, 3)) {
      twin.mix.options.emplace_back("--exclude=*.tmp");
      twin.mix.request.filters.exclude("*.tmp");
    }
    const bool deletes = chance(random, 2);
    if (deletes) {
      twin.mix.options.emplace_back("--delete");
      twin.mix.request.remove = true;
    }
    if (deletes && chance(random, 2)) {
      twin.mix.options.emplace_back("--delete-excluded");
      twin.mix.request.options.scan =
          twin.mix.request.options.scan | Flags<Scan>{Scan::DeleteExcluded};
    }
    // A name that the source lacks is a problem here, and left alone; what leads to it is taken.
    for (const std::string& name : list) {
      if (name == "nosuch") twin.not_compared.emplace_back("nosuch");
      if (name == "d/x") twin.not_compared.insert(twin.not_compared.end(), {"d", "d/x"});
    }
    INFO("XS_SEED=" << first_seed + round << " XS_ROUNDS=1\n" << text);
    twin.run();
  }
}

TEST_CASE("files_from: what is not at the source is a problem, what cannot go with it a refusal",
          "[sync]") {
  CHECK(parse_file_list("a\n\n# c\n;d\r\nb", false) == std::vector<std::string>{"a", "b"});
  CHECK(parse_file_list(std::string_view("#a\0b\nc\0", 7), true) ==
        std::vector<std::string>{"#a", "b\nc"});
  CHECK_THROWS_AS(FilesFrom({"../a"}, false), Error);
  CHECK_THROWS_AS(FilesFrom({"a/./b"}, false), Error);
  FilterList filters;
  filters.include("*.foo");
  CHECK_THROWS_AS(FilesFrom({"a"}, false).behind(filters), Error);
  TempTree source, ours;
  source.file("a", "a");
  ours.file("b", "mine");
  Mix mix = plain();
  mix.request.remove = true;
  mix.request.transfer.files = {"a", "b"};
  const PullResult result = pull(source, ours.path(), mix.request);
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].path == "b");
  CHECK(ours.read("a") == "a");
  CHECK(ours.read("b") == "mine");
}
