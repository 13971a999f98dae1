// SPDX-License-Identifier: MIT
// Stats: what a run moved, as the --stats block and the totals of -v, in rsync's words. Pure.
// Called at the end of a run by the run log and the output, and for the counts of events and
// metrics.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sync/report/detail.h"
#include "sync/report/numbers.h"

namespace xs {

struct FileCounts {
  std::uint64_t regular = 0, dirs = 0, links = 0, devices = 0, specials = 0;
  std::uint64_t total() const { return regular + dirs + links + devices + specials; }
  void add(EntryType type);
  bool operator==(const FileCounts&) const = default;
};

struct RunStats {
  FileCounts files, created, deleted;
  std::uint64_t transferred = 0;         // regular files whose contents were taken
  std::uint64_t total_size = 0;          // of files and of symlinks' targets, as rsync counts
  std::uint64_t transferred_size = 0;    // of those files, as they are now
  std::uint64_t literal = 0;             // PullResult::literal
  std::uint64_t list_size = 0;           // bytes of the manifest on the wire, 0 where unknown
  std::uint64_t sent = 0, received = 0;  // by this node, over the channel
  Duration scanning{};                   // the local scan
  Duration listing{};                    // until the manifest was here
  Duration elapsed{};
  bool dry_run = false;

  std::uint64_t matched() const {
    return transferred_size > literal ? transferred_size - literal : 0;
  }
};

// Counts of entries and changes; the rest is the caller's to fill.
RunStats count_run(const Entries& target, const std::vector<ChangeDetail>& details);

// Lines with newlines. The block begins with an empty line; so do the totals.
std::string stats_block(const RunStats& stats, Human human);
std::string totals(const RunStats& stats, Human human);

}  // namespace xs
