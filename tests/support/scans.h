// SPDX-License-Identifier: MIT
// Scans: a tree scanned the short way, and what came of it in the words of a test. For the tests of
// scan.
#pragma once

#include <unistd.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/entries.h"
#include "sync/scan.h"
#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"

namespace xs::test {

using Strings = std::vector<std::string>;

inline ScanRequest request_of(Compare compare = Compare::Quick) {
  ScanRequest request;
  request.options.compare = compare;
  request.options.keep = {Keep::Permissions, Keep::Owner, Keep::Group, Keep::Symlinks};
  request.options.scan = {Scan::Recursive};
  return request;
}

inline ScanResult scan_tree(const TempTree& tree, const ScanRequest& request = request_of()) {
  return scan(Dir::open_root(tree.path()), request);
}

inline Strings paths_of(const ScanResult& result) {
  Strings paths;
  for (const Entry& entry : result.entries.list) paths.push_back(entry.path);
  return paths;
}

inline Strings problems_of(const ScanResult& result) {
  Strings paths;
  for (const Problem& problem : result.problems) paths.push_back(problem.path);
  return paths;
}

inline const Entry& entry_of(const ScanResult& result, const std::string& path) {
  for (const Entry& entry : result.entries.list) {
    if (entry.path == path) return entry;
  }
  throw std::runtime_error("no entry " + path);
}

// What the protocol asks of a manifest; throws where it does not hold.
inline void check_encodes(const ScanResult& result) {
  std::string bytes;
  CHECK_NOTHROW(encode_entries(result.entries, bytes));
  CHECK(result.stamps.size() == result.entries.list.size());
}

inline std::string repeated(std::string_view text, int times) {
  std::string all;
  while (times-- > 0) all += text;
  return all;
}

inline bool is_root() { return ::geteuid() == 0; }

}  // namespace xs::test
