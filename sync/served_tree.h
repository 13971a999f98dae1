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

// Some entries of the tree, and names of what it has not.
template <class Name>
struct DifferenceBy {
  std::vector<std::uint32_t> entries;
  std::vector<Name> gone;
  bool empty() const { return entries.empty() && gone.empty(); }
};
using Difference = DifferenceBy<std::string>;         // paths
using IndexDifference = DifferenceBy<std::uint32_t>;  // places in an index

class ServedTree {
 public:
  // Scans at once, names and metadata. The clock must outlive the source.
  ServedTree(const std::string& root, ServedRules rules, Clock& clock);

  void set_pulse(std::function<void()> pulse) { rules_.pulse = std::move(pulse); }
  const ScanResult& tree() const { return tree_; }
  // Whether a scan with the first serves the second: it differs only in what is read of the files,
  // or leaves out the owners.
  static bool same_walk(const Options& one, Options other);
  void compare_as(const Options& options);

  // In a comparison by contents these three read the files whose digest they need; the numbers of
  // entries hold until the next such call.
  Digest generation();
  // What somebody who has `index` lacks. A file that is in it for its size or its absence there,
  // and is no larger than `inline_limit`, may have no digest yet: read() finds it.
  IndexDifference against(const Index& index, std::uint32_t inline_limit);
  IndexDifference everything();

  // What has changed since the scan before; nothing when the tree stood still. Otherwise entries
  // have new numbers: `renumbered`, when given, is called with where each old one is now, or kGone.
  static constexpr std::uint32_t kGone = ~std::uint32_t{0};
  Difference look_again(
      const std::function<void(const std::vector<std::uint32_t>&)>& renumbered = {});

  // Calls `take` for the bytes of a file as the tree has it. Complete, with the digest of what was
  // read; or why what was taken is worthless.
  FileEnd read(std::uint32_t at, const std::function<void(std::string_view)>& take);

 private:
  using Wanted = std::function<bool(std::uint32_t at)>;

  bool by_contents() const { return rules_.options.compare == Compare::Content; }
  ScanResult scan_tree();
  void scan_after(const ScanResult& before);
  void read_digests(const Wanted& wanted);
  void read_digests_for(const Index& index, std::uint32_t inline_limit);
  bool comparable(const Entry& entry) const;
  void settle();
  void wait_a_tick();
  void set_aside(ScanResult& tree) const;
  bool same(const ScanResult& before, std::uint32_t was, const ScanResult& after,
            std::uint32_t is) const;
  struct Compared {
    Difference moved;
    std::vector<std::uint32_t> places;  // where the old entries are now
    bool touched = false;               // something is as it was, and was not so all the time
  };
  Compared scan_and_compare();
  Compared compare(const ScanResult& before) const;
  const Dir& parent_of(const std::string& path);

  Dir root_;
  std::string root_path_;
  ServedRules rules_;
  Clock& clock_;
  std::int64_t scanned_ = 0;  // the file clock when the last scan began
  ScanResult tree_;
  bool read_failed_ = false;         // since the last scan
  std::vector<Problem> unreadable_;  // found by read(), where the scan had no reason to open the
                                     // file
  Dir held_;                         // the directory of the file that was read last
  std::vector<char> buffer_;
};

}  // namespace xs
