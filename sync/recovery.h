// SPDX-License-Identifier: MIT
// Recovery: what a run does first, with the lock held: complete the commit that a crash
// interrupted, or remove what a run that never came to its commit left behind. It may itself be
// interrupted anywhere, any number of times; it always comes to the same tree.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "sync/apply.h"
#include "sync/dir.h"
#include "sync/disk.h"
#include "sync/plan.h"

namespace xs {

struct Recovery {
  bool completed = false;         // there was a journal, and its commit is complete now
  bool cleaned = false;           // there were leftovers
  std::vector<Problem> problems;  // of the completed commit
  std::vector<Change> changes;  // what it has changed, sorted by path, as far as its journal tells
};

struct RecoveryRules {
  Wake on_wake = {};
  std::function<void()> committed = {};
  KeepPolicy keep = {};
};

// A journal that cannot be used is an Error (Io) that says what to do; nothing is touched then.
Recovery recover(Disk& disk, const Clock& clock, const RecoveryRules& rules);

// Whether the commit of an earlier run waits to be completed, or of one that is at work. False also
// where we may not look.
bool has_unfinished_commit(const std::string& destination);

// For who only looks: Error (Io) where a commit is unfinished, since the tree may be between two
// states then.
void refuse_unfinished(Disk& disk);

// Whether there is a staging area in this root; for a server, which never writes or serves it.
bool has_staging(const Dir& root);

}  // namespace xs
