// SPDX-License-Identifier: MIT
// Commit: turns a staged run into the tree, all or nothing. Called by the receiver and by rollback,
// with the lock held, after recovery has run. The order is
//   look at everything that will change · keep the old versions · make all staged data durable ·
//   the caller's last word · write the journal (this is the commit) · apply, make durable, wake,
//   end the journal · clean up
// Any failure before the journal leaves the tree as it was, and the staging's destructor removes
// what was staged. A failure after it leaves the journal: the error says so, and the next run
// completes the commit.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sync/apply.h"
#include "sync/staging.h"

namespace xs {

struct CommitRequest {
  std::vector<Step> steps;          // in the order of the plan (prepare.h)
  std::vector<std::string> inside;  // Prepared::inside
  std::string wake;  // handed to `on_wake` when the tree is new, at least once; empty: never
  Wake on_wake = {};
  // Called when all is staged and durable, right before the journal; throws to leave the tree.
  std::function<void()> last_word = {};
  std::function<void()> committed = {};  // when nothing can take it back, before the cleaning up
  KeepPolicy keep = {};
};

struct CommitResult {
  std::uint64_t generation = 0;   // under which the old versions are kept; 0: they are not
  Duration window{};              // from before the first to after the last change of the tree
  std::vector<Problem> problems;  // what was left out: we may not, or somebody else changed it
  std::vector<std::string> as_they_were;  // of them: directories none of whose attributes was set
  std::vector<std::string> notes;         // what somebody should know although the tree is complete
};

// No steps: nothing is written at all, and nobody is woken.
CommitResult commit(Staging& staging, const Clock& clock, CommitRequest request);

}  // namespace xs
