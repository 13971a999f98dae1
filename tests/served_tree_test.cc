// SPDX-License-Identifier: MIT
#include "sync/served_tree.h"

#include "sync/stand_still.h"
#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"

namespace xs {
namespace {

// Until a change that is made now cannot hide behind the tick of the file clock.
void outlive_tick(Clock& clock) {
  const std::int64_t begin = file_clock();
  while (file_clock() < begin + 2 * kFileTick) {
    clock.poll({}, clock.now() + std::chrono::nanoseconds(kFileTick));
  }
}

}  // namespace

TEST_CASE("served tree: what was changed and changed back is no proof that the tree stood still",
          "[sync]") {
  test::TempTree tree;
  tree.file("a", "one").file("b", "two");
  SteadyClock clock;
  outlive_tick(clock);
  ServedRules rules;
  rules.options.compare = Compare::Content;
  ServedTree served(tree.path(), rules, clock);
  const Digest generation = served.generation();
  tree.file("a", "other");
  tree.file("a", "one");
  outlive_tick(clock);
  // Nothing is young now, so the only wait is the one for the proof. "a" goes on changing in it.
  int waits = 0;
  served.set_pulse([&] {
    if (++waits == 1) tree.file("a", "other");
  });
  const Difference moved = served.look_again();
  CHECK(waits > 0);
  REQUIRE(moved.entries.size() == 1);
  CHECK(served.tree().entries.list.at(moved.entries[0]).path == "a");
  CHECK(served.generation() != generation);
}

TEST_CASE("served tree: a file that was written anew with what it had costs one more look",
          "[sync]") {
  test::TempTree tree;
  tree.file("a", "one").file("b", "two");
  SteadyClock clock;
  ServedRules rules;
  rules.options.compare = Compare::Content;
  ServedTree served(tree.path(), rules, clock);
  const Digest generation = served.generation();
  tree.file("a", "one");
  std::vector<std::uint32_t> places;
  CHECK(served.look_again([&](const auto& now) { places = now; }).empty());
  CHECK(places == std::vector<std::uint32_t>{0, 1, 2});
  CHECK(served.generation() == generation);
}

}  // namespace xs
