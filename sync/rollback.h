// SPDX-License-Identifier: MIT
// Rollback: back to the tree as it was before the commit that made a kept generation, through the
// same journaled commit as any other change: all or nothing, safe in a crash, and kept itself, so
// that it can be undone. Called by the command line, with the lock held, after recovery.
// All generations from the named one on are undone together; for each path the oldest word counts.
// Paths that no commit touched stay as they are. Contents are copied, never linked back, so what is
// kept cannot change with the tree. Hard links among kept files are made again; one to a file that
// was never touched is not.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sync/commit.h"
#include "sync/disk.h"

namespace xs {

struct RollbackRequest {
  std::uint64_t number = 0;              // of a generation that list_generations() shows
  std::uint64_t id = 0;                  // of this run (Staging)
  std::vector<std::string> index_files;  // installed after everything else
  // CommitRequest::wake, asked about the steps; unset: nobody.
  std::function<std::string(const std::vector<Step>&)> wake = {};
  Wake on_wake = {};
  std::function<void()> committed = {};
  KeepPolicy keep = {};
};

// No such generation: Error (Usage) that names those that there are. A damaged one: Io. Nothing is
// touched then.
CommitResult rollback(Disk& disk, const Clock& clock, RollbackRequest request);

}  // namespace xs
