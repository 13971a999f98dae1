// SPDX-License-Identifier: MIT
// Recovery of what a crash, or somebody else, has left in the staging area.
#include "sync/recovery.h"

#include <unistd.h>

#include "sync/journal.h"
#include "sync/lock.h"
#include "tests/support/catch.h"
#include "tests/support/destination.h"

namespace xs {
namespace {

using test::Destination;
using test::mode_of;

Step attributes_of(const std::string& path, unsigned mode) {
  Step step = Destination::bare(ActionKind::DirAttributes, path);
  step.attributes.mode = mode;
  return step;
}

void leave_journal(Destination& destination, std::vector<Step> steps) {
  ensure_area(destination.disk, "");
  Journal journal;
  journal.id = 7;
  journal.steps = std::move(steps);
  destination.disk.mkdir(run_dir("", journal.id), 0700);
  write_journal(destination.disk, journal);
}

}  // namespace

TEST_CASE("recovery: the attributes of a directory never reach a file or a link", "[sync]") {
  Destination destination;
  destination.temp.write("file", "bytes", 0600);
  REQUIRE(::symlink("file", (destination.temp / "link").c_str()) == 0);
  REQUIRE(::mkdir((destination.temp / "dir").c_str(), 0700) == 0);
  leave_journal(destination, {attributes_of("dir", 0750), attributes_of("file", 04755),
                              attributes_of("link", 04755)});
  const Recovery recovery = recover(destination.disk, SteadyClock(), {});
  CHECK(recovery.completed);
  CHECK(mode_of(destination.temp / "dir") == 0750);
  CHECK(mode_of(destination.temp / "file") == 0600);
  CHECK(recovery.problems.size() == 2);
}

}  // namespace xs
