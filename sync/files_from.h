// SPDX-License-Identifier: MIT
// FilesFrom: --files-from. The list becomes filter rules, so that the server sends, and the commit
// touches, only what is named and the directories above it; everything else is hidden there and
// protected here. Called by the receiver before its scan; pure.
// As with rsync: a directory is taken without its contents unless its name ends with a slash (then
// with its names, one level) or `recursive` is set (then with everything); a name that the source
// does not have is a problem, and nothing of ours under it is deleted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sync/filter.h"

namespace xs {

// The names in the file: a line each, without blank lines and comments (# and ; in front), or
// between NUL bytes, where nothing is a comment.
std::vector<std::string> parse_file_list(std::string_view bytes, bool nul_separated);

class FilesFrom {
 public:
  // Selection: a name that leads out of the source, or too many of them.
  FilesFrom(const std::vector<std::string>& names, bool recursive);

  // The operator's own rules, and behind them those of the list. Usage when they include anything:
  // what they include would be taken whether or not it is in the list.
  FilterList behind(const FilterList& own) const;

  // Paths below the root, sorted, each once.
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  void add(std::string_view name, bool recursive);

  bool everything_ = false;
  std::vector<std::string> paths_;
  std::vector<std::string> rules_;
};

// As part of a pattern that has wildcards: these bytes and nothing else.
std::string escape_pattern(std::string_view bytes);
// As a whole pattern, or the part of one that has no other wildcards.
std::string exact_pattern(std::string_view bytes);

}  // namespace xs
