// SPDX-License-Identifier: MIT
// Recovery: what a run does first, with the lock held: complete the commit that a crash
// interrupted, or remove what a run that never came to its commit left behind. It may itself be
// interrupted anywhere, any number of times; it always comes to the same tree.
#pragma once

#include <vector>

#include "base/clock.h"
#include "sync/apply.h"
#include "sync/dir.h"
#include "sync/disk.h"

namespace xs {

struct Recovery {
  bool completed = false;         // there was a journal, and its commit is complete now
  bool cleaned = false;           // there were leftovers
  std::vector<Problem> problems;  // of the completed commit
};

struct RecoveryRules {
  Wake on_wake = {};
  std::function<void()> committed = {};
  KeepPolicy keep = {};
};

// A journal that cannot be used is an Error (Io) that says what to do; nothing is touched then.
Recovery recover(Disk& disk, const Clock& clock, const RecoveryRules& rules);

// Whether there is a staging area in this root; for a server, which never writes or serves it.
bool has_staging(const Dir& root);

}  // namespace xs
