// SPDX-License-Identifier: MIT
#include "sync/local_tree.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "base/io.h"
#include "protocol/entries.h"
#include "sync/filter_walk.h"

namespace xs {
namespace {

constexpr std::uint64_t kStepsForEach = 100'000;
constexpr std::size_t kMergeFile = std::size_t{64} << 10;

bool holds(const std::vector<std::string>& sorted, std::string_view path) {
  return std::binary_search(sorted.begin(), sorted.end(), path, path_less);
}

}  // namespace

bool LocalTree::is_protected(std::string_view path) const { return holds(protected_names, path); }

bool LocalTree::is_protected_when_deleting(std::string_view path) const {
  return holds(protected_when_deleting, path);
}

std::optional<std::string> read_rule_file(const Dir& root, const std::string& path) {
  if (!valid_path(path) || path.empty()) return std::nullopt;
  const SplitPath parts = split_path(path);
  const auto file = root.walk(parts.parent).open_file_if_exists(parts.name, O_RDONLY);
  if (!file) return std::nullopt;
  return read_all(file->get(), kMergeFile, path);
}

std::vector<std::string> names_behind(const std::vector<std::string>& rules, const Entries& local,
                                      const std::string& root_path) {
  std::vector<std::string> names;
  if (rules.empty()) return names;
  const FilterList list = FilterList::from_wire(rules);
  FilterWalk::Config config;
  config.root = root_path;
  config.receiver = false;
  // A step takes some nanoseconds, and no deadline is looked at meanwhile.
  config.max_steps =
      std::min<std::uint64_t>(limits::kFilterSteps, kStepsForEach * (local.list.size() + 100));
  FilterWalk walk(list, config);
  for (const Entry& entry : local.list) {
    const bool is_dir = entry.type == EntryType::Dir;
    if (entry.path.empty() || !walk.hidden_with_parents(entry.path, is_dir)) continue;
    names.push_back(entry.path);
  }
  return names;
}

LocalTree scan_destination(const Dir& root, const std::string& root_path, const Options& options,
                           const FilterList& filters) {
  LocalTree tree;
  FilterWalk::Config config;
  config.root = root_path;
  config.delete_excluded = options.scan.has(Scan::DeleteExcluded);
  FilterWalk walk(filters, config);
  ScanRequest request;
  request.options = options;
  request.options.inline_limit = 0;
  // An empty directory of ours is one that the source does not have, not one that is not there.
  request.options.scan = Flags<Scan>::from_bits(request.options.scan.bits() &
                                                ~static_cast<std::uint32_t>(Scan::PruneEmptyDirs));
  // What is hidden at the source and protected here takes no part; what is only hidden is gone at
  // the source, and so may be deleted; what is only protected can still be updated.
  request.hidden = [&](std::string_view path, bool is_dir) {
    const bool safe = walk.is_protected(path, is_dir);
    if (safe && walk.hidden(path, is_dir)) {
      tree.excluded.emplace_back(path);
      return true;
    }
    if (safe) tree.protected_names.emplace_back(path);
    if (safe && walk.is_protected(path, is_dir, true))
      tree.protected_when_deleting.emplace_back(path);
    return false;
  };
  if (filters.has_dir_merge()) {
    request.enter = [&](const Dir& dir) {
      walk.enter(dir.path(), [&](const std::string& path) { return read_rule_file(root, path); });
    };
    request.leave = [&](std::string_view) { walk.leave(); };
  }
  tree.scan = scan(root, request);
  for (auto* list : {&tree.excluded, &tree.protected_names, &tree.protected_when_deleting}) {
    std::sort(list->begin(), list->end(), path_less);
  }
  return tree;
}

}  // namespace xs
