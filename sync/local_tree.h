// SPDX-License-Identifier: MIT
// LocalTree: the destination as the receiver's filter sees it: what takes part, what is safe from
// deletion, and what is not to be touched at all. Made by the receiver, once a run.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"
#include "sync/dir.h"
#include "sync/filter.h"
#include "sync/scan.h"

namespace xs {

struct LocalTree {
  ScanResult scan;
  // Sorted. Listed names that the rules protect from deletion; the second also where their
  // directory goes.
  std::vector<std::string> protected_names;
  std::vector<std::string> protected_when_deleting;
  // Sorted. Names that the rules exclude: not listed, never touched.
  std::vector<std::string> excluded;

  bool is_protected(std::string_view path) const;
  bool is_protected_when_deleting(std::string_view path) const;
};

// With the digests of all files where the options compare contents.
LocalTree scan_destination(const Dir& root, const std::string& root_path, const Options& options,
                           const FilterList& filters);

// The names of ours that rules of the server hide, from its welcome. Protocol: rules that take too
// long to match.
std::vector<std::string> names_behind(const std::vector<std::string>& rules, const Entries& local,
                                      const std::string& root_path);

// A per-directory rule file, by its path below the root; nothing outside of the root is ever read.
std::optional<std::string> read_rule_file(const Dir& root, const std::string& path);

}  // namespace xs
