// SPDX-License-Identifier: MIT
#include "sync/plan_remove.h"

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "protocol/entries.h"
#include "protocol/limits.h"
#include "sync/transfer_policy.h"

namespace xs {

Removals::Removals(const Entries& local, const PlanRules& rules, const PathSet& untouchable)
    : local_(local.list), rules_(rules), untouchable_(untouchable) {}

bool Removals::is_protected(const Entry& entry, bool deleting) const {
  const auto& ask = deleting && rules_.is_protected_when_deleting
                        ? rules_.is_protected_when_deleting
                        : rules_.is_protected;
  return ask && ask(entry.path, entry.type == EntryType::Dir);
}

bool Removals::leaves_backup(const Entry& entry) const {
  return !rules_.backup_suffix.empty() && entry.type != EntryType::Dir &&
         !std::string_view(entry.path).ends_with(rules_.backup_suffix);
}

void Removals::add(std::uint32_t index) {
  const Entry& entry = local_[index];
  if (!rules_.remove || entry.path.empty()) return;
  if (protected_dir_ != nullptr && is_below(entry.path, *protected_dir_)) return;
  // close() finds by itself what is untouchable: not all of it is in the list.
  if (untouchable_.covers(entry.path)) return;
  close_until(entry.path);
  if (is_protected(entry, !open_.empty())) {
    if (entry.type == EntryType::Dir) protected_dir_ = &entry.path;
    if (!open_.empty()) open_.back().holds = &entry.path;
  } else if (entry.type == EntryType::Dir) {
    open_.push_back({index});
  } else {
    files_.push_back(index);
    gone_.push_back(index);
    if (!open_.empty() && leaves_backup(entry)) open_.back().holds = &entry.path;
  }
}

const std::string* Removals::displace(std::uint32_t dir) {
  if (const std::string* inner = untouchable_.find_within(local_[dir].path)) return inner;
  const std::uint32_t end = end_of(dir);
  for (std::uint32_t index = dir + 1; index < end; ++index) {
    const bool may_go = rules_.remove || rules_.policy == nullptr || rules_.policy->forces();
    const bool stays = !may_go || leaves_backup(local_[index]);
    if (stays || is_protected(local_[index], true)) return &local_[index].path;
  }
  for (std::uint32_t index = dir + 1; index < end; ++index) gone_.push_back(index);
  return nullptr;
}

std::uint32_t Removals::end_of(std::uint32_t dir) const {
  std::uint32_t end = dir + 1;
  while (end < local_.size() && is_below(local_[end].path, local_[dir].path)) ++end;
  return end;
}

void Removals::close_until(std::string_view path) {
  while (!open_.empty() && !is_below(path, local_[open_.back().index].path)) close();
}

void Removals::close() {
  Level level = open_.back();
  open_.pop_back();
  const std::string& path = local_[level.index].path;
  if (level.holds == nullptr) level.holds = untouchable_.find_within(path);
  if (level.holds == nullptr) {
    dirs_.push_back(level.index);
    gone_.push_back(level.index);
  } else if (!open_.empty()) {
    open_.back().holds = level.holds;
  } else {
    kept_.push_back({path, "cannot delete non-empty directory: '" +
                               excerpt(*level.holds, limits::kName) + "' in it stays"});
  }
}

void Removals::finish() {
  while (!open_.empty()) close();
  // By descending path: children come before their directory.
  std::sort(dirs_.begin(), dirs_.end(), std::greater<>());
  std::sort(gone_.begin(), gone_.end());
}

}  // namespace xs
