// SPDX-License-Identifier: MIT
// Apply: the second half of a commit, once its journal is durable: carry out the steps, make them
// durable, wake whoever waits, end the journal, clean up. Called by commit right after the journal
// is written and by recovery after a crash; both do the same, so that both come to the same tree.
// Doing it again, from any point, changes nothing that is done already.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sync/disk.h"
#include "sync/generations.h"
#include "sync/journal.h"

namespace xs {

// Called with Journal::wake, unless that is empty, when the tree is new and durable, and before the
// journal ends: at least once, whatever crashes. If it throws, the journal stays and the next run
// calls it again.
using Wake = std::function<void(std::string_view)>;

struct FinishRules {
  bool redo = false;  // after a crash: steps may be done already
  Wake wake = {};
  // The tree is new, and stays new: what is told to others ("committed") is told here.
  std::function<void()> committed = {};
  KeepPolicy keep = {};
};

struct FinishResult {
  Duration window{};              // from before the first to after the last step
  std::vector<Problem> problems;  // steps that found the tree changed by somebody else
};

// An Error before the journal has ended leaves the journal: the next run goes on.
FinishResult finish_commit(Disk& disk, const Clock& clock, const Journal& journal,
                           const FinishRules& rules);

}  // namespace xs
