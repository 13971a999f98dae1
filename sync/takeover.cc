// SPDX-License-Identifier: MIT
#include "sync/takeover.h"

#include <algorithm>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/filter_walk.h"

namespace xs {

Takeover::Takeover(const TransferRules& rules, const std::string& destination, Options& options,
                   FilterList& filters)
    : destination_(destination),
      max_delete_(rules.max_delete),
      policy_(rules, options, current_umask()),
      backup_(backup_rules(rules, destination)),
      link_dest_(rules.link_dest, destination),
      own_filters_(filters) {
  options = options_under(rules, options);
  if (rules.files) {
    files_.emplace(*rules.files, rules.files_recursive);
    filters = files_->behind(filters);
    options.scan = options.scan | Flags<Scan>{Scan::Recursive};
  }
  filters = with_backups(filters, backup_, options.scan.has(Scan::DeleteExcluded));
}

bool Takeover::equal_is_done(const Options& options) const {
  return options.compare != Compare::Always && !policy_.adapts();
}

void Takeover::add_to(PlanRules& rules) const {
  rules.policy = &policy_;
  if (backup_.wanted && backup_.dir.empty()) rules.backup_suffix = backup_.suffix;
  if (!backup_.dir.empty()) rules.untouchable.push_back(backup_.dir);
}

std::vector<Problem> Takeover::missing(const Entries& target) const {
  std::vector<Problem> problems;
  if (!files_) return problems;
  FilterWalk walk(own_filters_, {destination_, false, true, false});
  for (const std::string& path : files_->paths()) {
    const auto at = std::lower_bound(
        target.list.begin(), target.list.end(), path,
        [](const Entry& entry, const std::string& to) { return path_less(entry.path, to); });
    const bool there = at != target.list.end() && at->path == path;
    if (there || walk.hidden_with_parents(path, false)) continue;
    problems.push_back({path, "is in the list of files, and not at the source"});
  }
  return problems;
}

void Takeover::check(const Entry& entry) const {
  constexpr unsigned kSetIds = 06000;
  if (entry.type != EntryType::File || (policy_.mode(entry) & kSetIds) == 0) return;
  const bool ours = (entry.mode & kSetIds) == 0;
  throw Error(Fault::Refused, quote(entry.path) +
                                  (ours ? " would become setuid or setgid (--chmod)"
                                        : " is setuid or setgid at the source") +
                                  ": such files are not taken");
}

void Takeover::check(const Plan& plan) const {
  if (!max_delete_ || plan.deletes <= *max_delete_) return;
  throw Error(Fault::Refused, std::to_string(plan.deletes) + " names would be deleted, and " +
                                  std::to_string(*max_delete_) +
                                  " may be (--max-delete): nothing was changed");
}

Backups Takeover::backups(const Plan& plan, const Entries& local, const Entries& target) const {
  return plan_backups(plan, local, target, backup_);
}

}  // namespace xs
