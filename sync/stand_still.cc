// SPDX-License-Identifier: MIT
#include "sync/stand_still.h"

#include <time.h>

#include <atomic>

#include "sync/workers.h"

namespace xs {
namespace {

// Looks at a range of entries; they are sorted, so that the next one is mostly in the directory of
// the last.
class Looker {
 public:
  Looker(const Dir& root, const ScanResult& tree, std::int64_t scanned)
      : root_(root), tree_(tree), scanned_(scanned), held_(root.walk("")) {}

  bool unmoved(std::size_t at) {
    const Entry& entry = tree_.entries.list[at];
    const SplitPath parts = split_path(entry.path);
    if (parts.parent != held_.path()) held_ = root_.walk(parts.parent);
    const auto st = entry.path.empty() ? root_.stat(Dir::kSelf) : held_.stat_if_exists(parts.name);
    if (!st || st->stamp() != tree_.stamps[at]) return false;
    return !st->is_dir() || st->ctime_ns < scanned_ - kFileTick;
  }

 private:
  const Dir& root_;
  const ScanResult& tree_;
  const std::int64_t scanned_;
  Dir held_;
};

}  // namespace

std::int64_t file_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

bool stands_still(const Dir& root, const ScanResult& tree, std::int64_t scanned,
                  const std::function<void()>& pulse) try {
  if (!tree.problems.empty() || tree.vanished != 0) return false;
  std::atomic<bool> moved{false};
  const auto look = [&](std::size_t first, std::size_t last) {
    Looker looker(root, tree, scanned);
    for (std::size_t at = first; at < last && !moved; ++at) {
      if (!looker.unmoved(at)) moved = true;
    }
  };
  share_out(tree.entries.list.size(), look, pulse);
  return !moved;
} catch (const Error& error) {
  if (error.fault() != Fault::Io || error.code() == 0) throw;  // of the channel
  return false;
}

}  // namespace xs
