// SPDX-License-Identifier: MIT
#include "sync/files_from.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "protocol/entries.h"
#include "protocol/limits.h"
#include "sync/file_stat.h"

namespace xs {
namespace {

// Both sides are named, so that --delete-excluded does not turn what is not in the list into
// something to delete.
constexpr std::string_view kTake = "+sr /";
constexpr std::string_view kLeave = "-sr *";

}  // namespace

std::string escape_pattern(std::string_view bytes) {
  std::string pattern;
  for (const char c : bytes) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern;
}

std::string exact_pattern(std::string_view bytes) {
  const bool wild = bytes.find_first_of("*?[") != std::string_view::npos;
  return wild ? escape_pattern(bytes) : std::string(bytes);
}

std::vector<std::string> parse_file_list(std::string_view bytes, bool nul_separated) {
  std::vector<std::string> names;
  while (!bytes.empty()) {
    const std::size_t end =
        nul_separated ? bytes.find('\0') : bytes.find_first_of(std::string_view("\n\r\0", 3));
    const std::string_view name = bytes.substr(0, end);
    bytes = end == std::string_view::npos ? std::string_view() : bytes.substr(end + 1);
    const bool comment = !nul_separated && (name.starts_with('#') || name.starts_with(';'));
    if (!name.empty() && !comment) names.emplace_back(name);
  }
  return names;
}

FilesFrom::FilesFrom(const std::vector<std::string>& names, bool recursive) {
  for (const std::string& name : names) add(name, recursive);
  std::sort(rules_.begin(), rules_.end());
  rules_.erase(std::unique(rules_.begin(), rules_.end()), rules_.end());
  std::sort(paths_.begin(), paths_.end(), path_less);
  paths_.erase(std::unique(paths_.begin(), paths_.end()), paths_.end());
  if (rules_.size() >= limits::kFilterRules) {
    throw Error(Fault::Selection, "the list of files needs " + std::to_string(rules_.size()) +
                                      " rules, and " + std::to_string(limits::kFilterRules) +
                                      " are possible: name directories instead, or sync in parts");
  }
}

void FilesFrom::add(std::string_view name, bool recursive) {
  std::string path;
  const bool contents = name.ends_with('/') || name.ends_with("/.") || name == ".";
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (!valid_name(part)) {
      throw Error(Fault::Selection,
                  "the list of files has " + quote(name) + ", which is no name below the source");
    }
    if (!path.empty()) rules_.push_back(std::string(kTake) + exact_pattern(path) + "/");
    path = join_path(path, part);
  }
  if (path.empty()) {
    everything_ = everything_ || recursive;
    if (contents) rules_.push_back(std::string(kTake) + "*");
    return;
  }
  rules_.push_back(std::string(kTake) + exact_pattern(path));
  if (recursive) rules_.push_back(std::string(kTake) + escape_pattern(path) + "/***");
  if (contents && !recursive) rules_.push_back(std::string(kTake) + escape_pattern(path) + "/*");
  paths_.push_back(std::move(path));
}

FilterList FilesFrom::behind(const FilterList& own) const {
  if (everything_) return own;
  FilterList list = own;
  for (const FilterRule& rule : own.rules()) {
    if (rule.kind == FilterRule::Kind::Exclude || rule.xattr) continue;
    throw Error(Fault::Usage, "the filter rule " + quote(to_string(rule)) +
                                  " cannot go with --files-from: it may take in what the list does "
                                  "not name; leave it out, or name the files");
  }
  for (const std::string& rule : rules_) list.filter(rule);
  list.filter(kLeave);
  return list;
}

}  // namespace xs
