// SPDX-License-Identifier: MIT
#include "cli/server_roots.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "sync/dir.h"
#include "sync/filter_walk.h"
#include "sync/wildmatch.h"

namespace xs::cli {
namespace {

using Parts = std::vector<std::string>;

Parts split(std::string_view path) {
  Parts parts;
  for (;;) {
    const std::size_t slash = path.find('/');
    parts.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

std::string join(const Parts& parts, std::size_t from) {
  std::string path;
  for (std::size_t at = from; at < parts.size(); ++at) path += "/" + parts[at];
  return path;
}

// One pattern, component by component.
class Moved {
 public:
  Moved(const FilterRule& rule, const Parts& below) : rule_(rule), below_(below) {
    anchored_ = rule.pattern.front() == '/';
    parts_ = split(std::string_view(rule.pattern).substr(anchored_ ? 1 : 0));
    wild_ = rule.pattern.find_first_of("*?[") != std::string::npos;
  }

  // A component of the pattern must be one of the path: what crosses a slash cannot be cut there.
  bool can_be_cut() const {
    const std::string& pattern = rule_.pattern;
    if (!anchored_ && parts_.size() == 1 && pattern.find("**") == std::string::npos) return true;
    if (wild_ && pattern.find('\\') != std::string::npos) return false;
    if (pattern.find("**") != std::string::npos) return false;
    return std::none_of(parts_.begin(), parts_.end(), [](const std::string& part) {
      return part.empty() || (part.find('[') != std::string::npos &&
                              part.find(']', part.find('[') + 2) == std::string::npos);
    });
  }

  void add_to(FilterList& list) const {
    if (anchored_) {
      if (parts_.size() > below_.size() && matches(0, below_.size())) add(list, below_.size());
      return;
    }
    list.filter(to_string(rule_));
    // The last directories of `below` may be the first components of the pattern.
    for (std::size_t cut = 1; cut < parts_.size() && cut <= below_.size(); ++cut) {
      if (matches(below_.size() - cut, cut)) add(list, cut);
    }
  }

 private:
  bool matches(std::size_t first, std::size_t count) const {
    for (std::size_t at = 0; at < count; ++at) {
      const std::string& name = below_[first + at];
      if (wild_ ? !Wildcard(parts_[at]).matches(name) : parts_[at] != name) return false;
    }
    return true;
  }
  void add(FilterList& list, std::size_t from) const {
    FilterRule rest = rule_;
    rest.pattern = join(parts_, from);
    list.filter(to_string(rest));
  }

  const FilterRule& rule_;
  const Parts& below_;
  Parts parts_;
  bool anchored_;
  bool wild_;
};

// The root that the path is or lies below; what lies between the two goes to `below`.
const ServerRoot* root_of(const ServerConfig& config, const std::string& path, std::string& below) {
  for (const ServerRoot& root : config.roots) {
    if (path == root.path) return &root;
    if (path.starts_with(root.path) && path[root.path.size()] == '/') {
      below = path.substr(root.path.size() + 1);
      return &root;
    }
  }
  return nullptr;
}

}  // namespace

std::optional<FilterList> excludes_below(const FilterList& excludes, const std::string& below) {
  FilterWalk walk(FilterList().with_mandatory(excludes), {});
  if (walk.fenced(below, true)) return std::nullopt;
  const Parts parts = split(below);
  FilterList list;
  for (const FilterRule& rule : excludes.rules()) {
    const Moved moved(rule, parts);
    if (!moved.can_be_cut()) return std::nullopt;
    moved.add_to(list);
  }
  return list;
}

ServedPath find_served(const ServerConfig& config, std::string_view asked, std::string& reason) {
  const auto path = clean_path(asked);
  const auto refuse = [&](const std::string& why) {
    reason = why;
    return Error(Fault::Selection, "this server does not serve " + quote(asked));
  };
  if (!path) throw refuse("no clean absolute path");
  ServedPath served;
  served.root = root_of(config, *path, served.below);
  if (served.root == nullptr) throw refuse("no root");
  served.excludes = served.root->excludes;
  if (served.below.empty()) return served;
  auto excludes = excludes_below(served.root->excludes, served.below);
  if (!excludes) throw refuse("excluded, or an exclude that only holds for the whole root");
  served.excludes = *std::move(excludes);
  try {
    (void)Dir::open_root(served.root->path).walk(served.below);
  } catch (const Error& error) {
    throw refuse(error.text());
  }
  return served;
}

}  // namespace xs::cli
