// SPDX-License-Identifier: MIT
// What the planner knows about two manifests before it decides anything: what differs between two
// entries, which names share a file, which paths are out of bounds, and that a received manifest is
// a tree. Called by plan; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/messages.h"
#include "sync/plan.h"

namespace xs {

inline constexpr std::uint32_t kNoIndex = ~std::uint32_t{0};

// A name of a regular file: only the manifest tells the first name from the others.
constexpr bool is_regular(EntryType type) {
  return type == EntryType::File || type == EntryType::Hardlink;
}

// Below the directory, not the directory itself; everything but the root is below the root.
bool is_below(std::string_view path, std::string_view dir);

// Throws Protocol unless the list is sorted, the root and every parent are directories, and every
// hard link repeats an earlier file: what the plan is made of comes from a peer.
void check_tree(const Entries& target);

// Paths and everything below them.
class PathSet {
 public:
  explicit PathSet(const std::vector<std::string>& paths);
  bool covers(std::string_view path) const;
  // A member that is the directory or below it, or nullptr.
  const std::string* find_within(std::string_view dir) const;

 private:
  std::vector<std::string> paths_;  // sorted, none below another
};

// Which entries of a manifest are names of one file.
class LinkMap {
 public:
  explicit LinkMap(const Entries& entries);
  // The entry that describes the file of which this entry is a name: itself for a file, the first
  // name for a hard link. kNoIndex for other types and for a link that repeats no file.
  std::uint32_t file_of(std::uint32_t index) const;
  // Whether the file at `index` has other names.
  bool shared(std::uint32_t index) const { return !shared_.empty() && shared_[index]; }

 private:
  const Entries& entries_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> links_;  // link, its file; sorted
  std::vector<bool> shared_;
};

// Equality under the options of a run. Entries that it calls equal, with equal names, make equal
// generations (hash.h).
class Comparer {
 public:
  Comparer(const Entries& local, const Entries& target, const Options& options,
           const TransferPolicy* policy = nullptr);

  // The flags that differ, for entries of one type; a first name stands for its links. `time` is a
  // file's own, whether or not it counts.
  Change differences(const Entry& local, const Entry& target) const;
  // Whether such a difference is to be acted on: a time alone is none, except where it is part of a
  // generation.
  bool counts(const Change& change) const;
  // Whether equal sizes are all that is asked for: a new mode then leaves our bytes as they are,
  // also where the other side has told others.
  bool keeps_bytes() const { return options_.compare == Compare::SizeOnly; }
  // Whether our file can be copied instead of fetched.
  bool has_bytes(const Entry& local, const Entry& target, const Change& change) const;

 private:
  // One number for each principal that counts as the same, of both tables; kNoIndex: one that
  // nothing here can be given to, and that therefore makes no difference.
  struct Ids {
    std::vector<std::uint32_t> local;
    std::vector<std::uint32_t> target;
    bool differ(std::uint32_t ours, std::uint32_t theirs) const;
  };
  static Ids unify(const std::vector<Principal>& local, const std::vector<Principal>& target,
                   bool numeric);
  Ids users(const Entries& local, const Entries& target) const;
  Ids groups(const Entries& local, const Entries& target) const;
  bool content_differs(const Entry& local, const Entry& target) const;
  void compare_xattrs(const Entry& local, const Entry& target, Change& change) const;

  bool same_time(const Entry& local, const Entry& target) const;
  bool same_mode(const Entry& local, const Entry& target) const;

  Options options_;
  const TransferPolicy* policy_;
  Ids users_;
  Ids groups_;
};

}  // namespace xs
