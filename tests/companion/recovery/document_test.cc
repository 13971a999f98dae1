// SPDX-License-Identifier: MIT
// docs/recovery.md: no command without a test that types it.
#include <set>

#include "tests/companion/recovery/walk.h"
#include "tests/support/catch.h"

using namespace xs::test;

// A case types its chapters to the end, or fails (Walk::done); here every chapter has one.
TEST_CASE("recovery: every command of the document is typed by a test", "[recovery]") {
  std::set<std::string> cases;
  for (const auto& one : Catch::getRegistryHub().getTestCaseRegistry().getAllTests()) {
    cases.insert(one.name);
  }
  std::set<std::string> headings;
  for (const DocCommand& command : recovery_commands()) {
    INFO(command.line);
    headings.insert(command.heading);
    CHECK_FALSE(command.block.empty());  // a reader, and a test, has to know where
    const auto chapter = std::find_if(kChapters.begin(), kChapters.end(), [&](const Chapter& row) {
      return row.heading == command.heading;
    });
    REQUIRE(chapter != kChapters.end());
    INFO(std::string(chapter->test));
    CHECK(cases.count(std::string(chapter->test)) == 1);
  }
  for (const Chapter& chapter : kChapters) {
    INFO(std::string(chapter.heading));
    CHECK(headings.count(std::string(chapter.heading)) == 1);
  }
}
