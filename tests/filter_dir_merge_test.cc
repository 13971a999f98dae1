// SPDX-License-Identifier: MIT
// Rules in files of the tree itself, which come and go with their directories.
#include "sync/filter_walk.h"

#include <string>

#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/filter_lists.h"

using namespace xs;
using namespace xs::test;

namespace {

const Names kSmallTree = {"a/",     "a/x",  "a/y", "a/b/", "a/b/x", "a/b/y",
                          "a/b/.f", "a/.f", "x",   "y",    ".f"};

Names with_files(const std::string& rule, const Files& files, Ask ask = Ask::Hidden) {
  return left_out(list_of({"f" + rule}), ask, kSmallTree, files);
}

}  // namespace

TEST_CASE("filter: a per-directory file rules its directory and what is below", "[sync]") {
  CHECK(with_files(": .f", {{"a/.f", "- x"}}) == Names{"a/b/x", "a/x"});
  CHECK(with_files(":n .f", {{"a/.f", "- x"}}) == Names{"a/x"});
  CHECK(with_files(": .f", {{"a/.f", "- /x"}}) == Names{"a/x"});
  CHECK(with_files(": .f", {{".f", "- /a/b/x"}}) == Names{"a/b/x"});
  CHECK(with_files(": .f", {{"a/.f", "- /b/*"}}) == sorted({"a/b/.f", "a/b/x", "a/b/y"}));
  CHECK(with_files(":- .f", {{"a/.f", "x\n+ y"}}) == Names{"a/b/x", "a/x"});
  CHECK(with_files(":w .f", {{"a/.f", "-_x -_y"}}) == sorted({"a/b/x", "a/b/y", "a/x", "a/y"}));
  CHECK(with_files(":e .f", {}) == sorted({".f", "a/.f", "a/b/.f"}));
  CHECK(with_files(": .f/", {{".f", "- x\n- b"}}) == Names{"a/b/"});
  CHECK(with_files(":e .f/", {}).empty());
  CHECK(with_files(":s .f", {{".f", "- x"}}, Ask::Protected).empty());
  CHECK(with_files(":r .f", {{".f", "- x"}}, Ask::Protected) == sorted({"x", "a/x", "a/b/x"}));
}

TEST_CASE(
    "filter: the nearest per-directory file speaks first and can clear the others of its name",
    "[sync]") {
  CHECK(with_files(": .f", {{".f", "- x"}, {"a/b/.f", "+ x"}}) == Names{"a/x", "x"});
  CHECK(with_files(": .f", {{".f", "- x"}, {"a/.f", "!\n- y"}}) == sorted({"x", "a/y", "a/b/y"}));
  const FilterList two = list_of({"f: .f", "f: .g", "-y"});
  CHECK(left_out(two, Ask::Hidden, kSmallTree, {{".g", "- x"}, {"a/.f", "!"}}) ==
        sorted({"a/b/x", "a/b/y", "a/x", "a/y", "x", "y"}));
  CHECK(left_out(two, Ask::Hidden, kSmallTree, {{".g", "+ y"}}).empty());
  const FilterList again = list_of({"f: .f", "-y", "f:- sub/.f"});
  CHECK(again.to_wire() == Names{": .f", "- y"});
  CHECK(with_files(": .f", {{".f", "- x\n: .g\n!\n: .g"}, {".g", "- y"}}) ==
        sorted({"y", "a/y", "a/b/y"}));
  CHECK(with_files(": .f", {{".f", ": .g"}, {".g", "- y\n: .f"}}) == sorted({"y", "a/y", "a/b/y"}));
}

TEST_CASE("filter: a per-directory file may name another one and merge a third", "[sync]") {
  CHECK(with_files(": .f", {{"a/.f", ": .g"}, {"a/.g", "- x"}, {".g", "- y"}}) ==
        Names{"a/b/x", "a/x"});
  CHECK(with_files(": .f", {{"a/.f", ". ./b/more"}, {"a/b/more", "- y"}}) == Names{"a/b/y", "a/y"});
  CHECK(with_files(": .f", {{".f", ". more"}, {"more", "- /a/x"}}) == Names{"a/x"});
  CHECK(with_files(": .f", {{"a/.f", ". more"}, {"more", "- /x"}}).empty());
  CHECK(with_files(": .f", {{".f", ". more"}, {"more", "H x"}}, Ask::Protected).empty());
  CHECK(error_of(
            [] {
              with_files(": .f", {{"a/.f", ". none"}});
            },
            Fault::Io) == "the merge file 'none' cannot be read");
  CHECK(error_of([] {
          with_files(": .f", {{"a/.f", "- ok\n-zz"}});
        }) == "a/.f:2: filter rule '-zz', position 1: invalid modifier 'z'");
  std::string many;
  for (int i = 0; i < 100; ++i) many += ": .g" + std::to_string(i) + "\n";
  CHECK(error_of([&] {
          with_files(": .f", {{".f", many}});
        }).find("different dir-merge files") != std::string::npos);
}

TEST_CASE("filter: a dir-merge with a path also reads the directories above the root", "[sync]") {
  CHECK(with_files(": /.f", {{"/.f", "- x"}, {"/t/.f", "- /ft/a/y"}}) ==
        sorted({"a/b/x", "a/x", "a/y", "x"}));
  CHECK(with_files(": ../.f", {{"/.f", "- x"}, {"/t/.f", "- y"}}) == sorted({"a/b/y", "a/y", "y"}));
  CHECK(with_files(":n /.f", {{"/t/.f", "- y"}}).empty());
  CHECK(with_files(": /.f", {{"/.f", "- /t/ft/x"}, {"/t/.f", "- /x"}}) == Names{"x"});
  CHECK(with_files(": sub/.f", {{".f", "- /x"}, {"sub/.f", "- y"}}) == Names{"x"});
}

TEST_CASE("filter: a leading slash in a per-directory file takes its directory's name literally",
          "[sync]") {
  FilterWalk walk(list_of({"f: .f"}), {"/t/[r]", false});
  const auto lookup = lookup_in({{"d[1]/.f", "- /x*"}});
  walk.enter("", lookup);
  walk.enter("d[1]", lookup);
  CHECK(walk.hidden("d[1]/xy", false));
  CHECK_FALSE(walk.hidden("d[1]/q/xy", false));
  walk.leave();
  CHECK_FALSE(walk.hidden("d1/xy", false));
  walk.leave();
}

TEST_CASE("filter: rules of a directory are gone after leaving it", "[sync]") {
  FilterWalk walk(list_of({"f: .f"}), {"/", false});
  const auto lookup = lookup_in({{"a/.f", "- x\n: .g"}, {"a/.g", "- z"}, {"b/.g", "- z"}});
  walk.enter("", lookup);
  walk.enter("a", lookup);
  CHECK(walk.hidden("a/x", false));
  CHECK(walk.hidden("a/z", false));
  walk.leave();
  walk.enter("b", lookup);
  CHECK_FALSE(walk.hidden("b/x", false));
  CHECK_FALSE(walk.hidden("b/z", false));
  walk.leave();
  walk.leave();
}

TEST_CASE("filter: a walk for one side does not read per-directory rules of the other", "[sync]") {
  const FilterList list = list_of({"f:s .f"});
  const auto lookup = lookup_in({{".f", ": .g\n- x"}, {".g", ". none"}});
  FilterWalk receiver(list, {"/t", false, false, true});
  receiver.enter("", lookup);
  CHECK_FALSE(receiver.is_protected("x", false));
  FilterWalk sender(list, {"/t", false, true, false});
  CHECK_THROWS_AS(sender.enter("", lookup), Error);
}
