// SPDX-License-Identifier: MIT
// Scan: a tree as a sorted manifest, with what could not be read as Problems. Called by sender and
// receiver. Directories are read one at a time and sorted by themselves, which sorts the whole.
// Nothing is followed, no absolute path is used, at most kHeldDirs descriptors are open. One bad
// name never ends the scan: it becomes a Problem, whose path and everything below it is not in the
// manifest and must be left alone by whoever uses it. Only a root that cannot be read (Partial) and
// exhaustion (descriptors, memory, entries) throw.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"
#include "sync/dir.h"

namespace xs {

// In the root, and in every mount point below it: never listed. Any other directory that has one is
// the destination of a sync itself: a problem, and left alone.
inline constexpr std::string_view kStagingName = ".xroad-sync";

// The problem of a symbolic link where none is to be copied: left alone as with every problem, and
// what was asked for.
inline constexpr std::string_view kLinkNotCopied = "symbolic link not copied";

struct ScanRequest {
  Options options;
  // Whether the filter hides this name; what is hidden is neither listed nor entered.
  std::function<bool(std::string_view path, bool is_dir)> hidden = {};
  // Around each directory that is entered, the root too: where per-directory rules come and go.
  std::function<void(const Dir& dir)> enter = {};
  std::function<void(std::string_view path)> leave = {};
  std::size_t max_entries = 10'000'000;  // more is an Error of class Memory
};

struct ScanResult {
  Entries entries;  // the root first, with the empty path
  // One an entry: FileStat::stamp() as it was seen; a different one later means that the entry
  // moved.
  std::vector<std::uint64_t> stamps;
  std::vector<Problem> problems;
  // Indexes into entries.list. Moved: the file changed while it was read, so it has no digest.
  // Young: its ctime is so near to the moment of reading that one more change could have gone
  // unseen; read it again later.
  std::vector<std::uint32_t> moved;
  std::vector<std::uint32_t> young;
  std::vector<std::string> mounts;  // sorted; not entered, with Scan::OneFileSystem
  std::uint64_t vanished = 0;       // names that were gone, or another type, when their turn came
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;  // in regular files, hard links once
};

// With Compare::Content every file gets its digest, with an inline limit small files get their
// bytes; the comparison that suits the tree can also be chosen after a Quick scan, and
// read_contents() called then.
ScanResult scan(const Dir& root, const ScanRequest& request);

// Content while the tree is small, Quick beyond.
Compare suitable_compare(const ScanResult& tree);

}  // namespace xs
