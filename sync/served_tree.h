// SPDX-License-Identifier: MIT
// ServedTree: the tree that a session serves, under the options and rules of its client. Made by
// the sender. Reads, and never writes. A file is never read while its ctime is younger than the
// clock's tick, because one more change could then go unseen; so two scans that agree prove that
// what was read between them is one state.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "protocol/messages.h"
#include "sync/dir.h"
#include "sync/filter.h"
#include "sync/scan.h"

namespace xs {

struct ServedRules {
  Options options;
  FilterList filters;
  std::function<void()> pulse =
      {};                  // called often in long work, so that the client hears that we live
  std::string below = {};  // the directory below the root that is served; empty: all
  std::size_t max_entries = 10'000'000;  // more is an Error of class Memory
};

// Some entries of the tree, and paths that it has no longer.
struct Difference {
  std::vector<std::uint32_t> entries;
  std::vector<std::string> gone;
  bool empty() const { return entries.empty() && gone.empty(); }
};

class ServedTree {
 public:
  // Scans at once. The clock must outlive the source.
  ServedTree(const std::string& root, ServedRules rules, Clock& clock);

  void set_pulse(std::function<void()> pulse) { rules_.pulse = std::move(pulse); }
  const ScanResult& tree() const { return tree_; }
  Digest generation() const;
  // What somebody who has `index` lacks.
  Difference against(const Entries& index) const;
  Difference everything() const;
  // Scans again. What has changed since the scan before; nothing when the tree stood still.
  Difference look_again();

  // Calls `take` for the bytes of a file as the tree has it. Complete, with the digest of what was
  // read; or why what was taken is worthless.
  FileEnd read(const Entry& entry, const std::function<void(std::string_view)>& take);

 private:
  ScanResult scan_tree();
  ScanResult scan_after(const ScanResult& before);
  void settle();
  void wait_a_tick();
  void set_aside(ScanResult& tree) const;
  bool same(const ScanResult& before, std::uint32_t was, const ScanResult& after,
            std::uint32_t is) const;
  std::optional<std::uint64_t> stamp_of(const std::string& path) const;

  Dir root_;
  std::string root_path_;
  ServedRules rules_;
  Clock& clock_;
  ScanResult tree_;
  std::vector<Problem>
      unreadable_;  // found by read(), where the scan had no reason to open the file
};

}  // namespace xs
