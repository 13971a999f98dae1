// SPDX-License-Identifier: MIT
#include "sync/plan.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "protocol/entries.h"
#include "protocol/limits.h"
#include "sync/plan_compare.h"
#include "sync/plan_remove.h"
#include "sync/transfer_policy.h"

namespace xs {
namespace {

constexpr std::size_t kKinds = static_cast<std::size_t>(ActionKind::DirAttributes) + 1;

// One walk over both lists. What is decided for a phase is an index until the end: the order of the
// lists is the order inside a phase.
class Planner {
 public:
  Planner(const Entries& local, const Entries& target, const PlanRules& rules)
      : local_(local.list),
        target_(target.list),
        index_files_(rules.index_files.begin(), rules.index_files.end()),
        untouchable_(rules.untouchable),
        policy_(rules.policy),
        compare_(local, target, rules.options, rules.policy),
        local_links_(local),
        target_links_(target),
        removals_(local, rules, untouchable_) {}

  Plan run() {
    for (std::uint32_t target = 0; target < target_.size(); ++target) {
      visit(target, advance_to(target_[target].path));
    }
    while (next_local_ < local_.size()) removals_.add(next_local_++);
    removals_.finish();
    list_actions();
    list_changes();
    plan_.kept = std::move(removals_.kept());
    return std::move(plan_);
  }

 private:
  enum class State : std::uint8_t { Kept, Replaced, LeftAlone };
  struct First {  // what becomes of a file that has other names
    State state = State::LeftAlone;
    std::uint32_t inode = kNoIndex;  // Kept: the local file
  };
  // What the local tree has at the path of a target entry.
  struct Old {
    const Entry* entry = nullptr;
    std::uint32_t index = kNoIndex;
    bool displaced = false;
  };

  std::vector<std::uint32_t>& phase(ActionKind kind) {
    return phases_[static_cast<std::size_t>(kind)];
  }
  bool is_index(const std::string& path) const {
    return !index_files_.empty() && index_files_.count(path) != 0;
  }

  // ---- the walk

  // Hands everything before the path to the removals.
  Old advance_to(const std::string& path) {
    for (; next_local_ < local_.size(); ++next_local_) {
      const Entry& entry = local_[next_local_];
      if (entry.path == path) {
        Old old{&entry, next_local_};
        ++next_local_;
        return old;
      }
      if (!path_less(entry.path, path)) break;
      removals_.add(next_local_);
    }
    return {};
  }

  void visit(std::uint32_t target, Old old) {
    const Entry& entry = target_[target];
    if (untouchable_.covers(entry.path) || is_left(target, old)) return note_first(target, {});
    if (entry.type == EntryType::Hardlink && first_of(target).state == State::LeftAlone) {
      return leave_link(entry, old);
    }
    const bool is_dir = entry.type == EntryType::Dir;
    if (old.entry != nullptr && (old.entry->type == EntryType::Dir) != is_dir) {
      if (!displace(entry, old.index)) return note_first(target, {});
      old = {nullptr, kNoIndex, true};
    }
    switch (entry.type) {
      case EntryType::Dir: return visit_dir(target, old);
      case EntryType::File: return visit_file(target, old);
      case EntryType::Hardlink: return visit_link(target, old);
      default: return visit_other(target, old);
    }
  }

  // By the rules of the transfer: whatever stands there stays, with all that is below it.
  bool is_left(std::uint32_t target, const Old& old) {
    if (policy_ == nullptr) return false;
    const Entry& entry = target_[target];
    if (left_dir_ != nullptr && is_below(entry.path, *left_dir_)) return true;
    const Entry* before = file_behind(old);
    const std::uint32_t file = target_links_.file_of(target);
    if (!policy_->leaves(entry, file == kNoIndex ? entry : target_[file],
                         before != nullptr ? before : old.entry)) {
      return false;
    }
    if (entry.type == EntryType::Dir) left_dir_ = &entry.path;
    if (old.entry != nullptr && old.entry->type == EntryType::Dir) {
      next_local_ = removals_.end_of(old.index);
    }
    return true;
  }

  bool displace(const Entry& entry, std::uint32_t old) {
    if (local_[old].type == EntryType::Dir) {
      const std::string* inner = removals_.displace(old);
      next_local_ = removals_.end_of(old);
      if (inner != nullptr) {
        plan_.problems.push_back(
            {entry.path, "is no directory at the source; ours stays, because '" +
                             excerpt(*inner, limits::kName) + "' in it must stay"});
        return false;
      }
    }
    phase(ActionKind::Displace).push_back(old);
    return true;
  }

  void visit_dir(std::uint32_t target, const Old& old) {
    const Entry& entry = target_[target];
    if (old.entry == nullptr && !entry.path.empty()) {
      phase(ActionKind::MakeDir).push_back(target);
      phase(ActionKind::DirAttributes).push_back(target);
      return note(target, old, created(entry));
    }
    const Change change =
        old.entry != nullptr ? compare_.differences(*old.entry, entry) : created(entry);
    if (!compare_.counts(change) && !change.created) return;
    phase(ActionKind::DirAttributes).push_back(target);
    add_change(entry, change);
  }

  void visit_file(std::uint32_t target, const Old& old) {
    const Entry& entry = target_[target];
    const Entry* before = file_behind(old);
    Change change = created(entry);
    if (before != nullptr) {
      change = compare_.differences(*before, entry);
      const std::uint32_t inode = local_links_.file_of(old.index);
      if (!compare_.counts(change) && claim(inode)) {
        return note_first(target, {State::Kept, inode});
      }
    } else if (old.entry != nullptr && is_regular(old.entry->type)) {
      change = unknown(entry);
    }
    stage(target, old,
          before != nullptr && compare_.has_bytes(*before, entry, change) ? Source::Local
                                                                          : Source::Remote);
    phase(is_index(entry.path) ? ActionKind::InstallIndex : ActionKind::Install).push_back(target);
    note_first(target, {State::Replaced});
    note(target, old, change);
  }

  void stage(std::uint32_t target, const Old& old, Source source) {
    const Entry& entry = target_[target];
    const bool basis = old.entry != nullptr && is_regular(old.entry->type);
    const bool ours = source == Source::Local && compare_.keeps_bytes();
    plan_.contents.push_back({target, entry.inlined && !ours ? Source::Inlined : source, basis});
    plan_.bytes += entry.size;
  }

  void visit_link(std::uint32_t target, const Old& old) {
    const Entry& entry = target_[target];
    const First first = first_of(target);
    const bool linked = old.entry != nullptr && is_regular(old.entry->type);
    // The first name's attributes are those of all; where a link claims others, it is made anew.
    if (first.state == State::Kept && linked && local_links_.file_of(old.index) == first.inode &&
        !own_differences(*old.entry, entry)) {
      return;
    }
    const bool late =
        is_index(entry.path) || (is_index(entry.content) && first.state == State::Replaced);
    phase(late ? ActionKind::InstallIndex : ActionKind::Link).push_back(target);
    const Entry* before = file_behind(old);
    Change change = before != nullptr
                        ? compare_.differences(*before, target_[target_links_.file_of(target)])
                    : linked ? unknown(entry)
                             : created(entry);
    change.type = EntryType::Hardlink;
    note(target, old, change);
  }

  // Its file is out of bounds, so it stays as it is, with all that may be below it.
  void leave_link(const Entry& entry, const Old& old) {
    if (old.entry != nullptr && old.entry->type == EntryType::Dir) {
      next_local_ = removals_.end_of(old.index);
    }
    const bool linked = old.entry != nullptr && old.entry->type == EntryType::Hardlink &&
                        old.entry->content == entry.content;
    if (linked) return;
    plan_.problems.push_back(
        {entry.path,
         "is a hard link to '" + excerpt(entry.content, limits::kName) + "', which is left alone"});
  }

  void visit_other(std::uint32_t target, const Old& old) {
    const Entry& entry = target_[target];
    Change change = created(entry);
    if (old.entry != nullptr && old.entry->type == entry.type) {
      change = compare_.differences(*old.entry, entry);
      if (!compare_.counts(change)) return;
    }
    const bool symlink = entry.type == EntryType::Symlink;
    phase(symlink ? ActionKind::Symlink : ActionKind::Special).push_back(target);
    note(target, old, change);
  }

  // ---- hard links

  // The local entry that describes the file at this path.
  const Entry* file_behind(const Old& old) const {
    if (old.entry == nullptr) return nullptr;
    const std::uint32_t file = local_links_.file_of(old.index);
    return file == kNoIndex ? nullptr : &local_[file];
  }

  // One local file can stay as one file of the target only.
  bool claim(std::uint32_t inode) {
    return !local_links_.shared(inode) || claimed_.insert(inode).second;
  }

  First first_of(std::uint32_t link) const { return firsts_.at(target_links_.file_of(link)); }
  void note_first(std::uint32_t target, First first) {
    if (target_links_.shared(target)) firsts_[target] = first;
  }

  // What a hard link's entry says by itself: its attributes, not what it repeats.
  bool own_differences(const Entry& old, const Entry& entry) const {
    if (old.type != EntryType::Hardlink) return false;
    Change change = compare_.differences(old, entry);
    change.content = false;
    return compare_.counts(change);
  }

  // ---- results

  static Change created(const Entry& entry) {
    Change change;
    change.type = entry.type;
    change.created = true;
    return change;
  }
  // A file of which the local manifest does not tell what is in it.
  static Change unknown(const Entry& entry) {
    Change change;
    change.type = entry.type;
    change.content = true;
    return change;
  }

  void note(std::uint32_t target, const Old& old, Change change) {
    ++(old.entry != nullptr || old.displaced ? plan_.replaces : plan_.creates);
    add_change(target_[target], std::move(change));
  }
  void add_change(const Entry& entry, Change change) {
    change.path = entry.path;
    plan_.changes.push_back(std::move(change));
  }

  void list_actions() {
    std::vector<std::uint32_t> removed = removals_.files();
    // An index that goes does so before what it names; one that is a symlink changes after the
    // others.
    std::stable_partition(removed.begin(), removed.end(),
                          [this](std::uint32_t at) { return is_index(local_[at].path); });
    std::vector<std::uint32_t>& symlinks = phase(ActionKind::Symlink);
    std::stable_partition(symlinks.begin(), symlinks.end(),
                          [this](std::uint32_t at) { return !is_index(target_[at].path); });
    std::vector<std::uint32_t>& attributes = phase(ActionKind::DirAttributes);
    std::reverse(attributes.begin(), attributes.end());
    phase(ActionKind::Delete) = std::move(removed);
    phase(ActionKind::DeleteDir) = removals_.dirs();

    std::size_t count = 0;
    for (const auto& indexes : phases_) count += indexes.size();
    plan_.actions.reserve(count);
    for (std::size_t kind = 0; kind < kKinds; ++kind) list_phase(static_cast<ActionKind>(kind));
  }

  void list_phase(ActionKind kind) {
    const bool ours =
        kind == ActionKind::Displace || kind == ActionKind::Delete || kind == ActionKind::DeleteDir;
    for (const std::uint32_t at : phase(kind)) {
      plan_.actions.push_back(
          {kind, (ours ? local_ : target_)[at].path, ours ? Action::kNoEntry : at});
    }
  }

  void list_changes() {
    std::vector<Change> deleted;
    deleted.reserve(removals_.gone().size());
    for (const std::uint32_t at : removals_.gone()) {
      Change& change = deleted.emplace_back();
      change.path = local_[at].path;
      change.type = local_[at].type;
      change.deleted = true;
    }
    plan_.deletes = deleted.size();
    const auto middle = static_cast<std::ptrdiff_t>(plan_.changes.size());
    std::move(deleted.begin(), deleted.end(), std::back_inserter(plan_.changes));
    std::inplace_merge(plan_.changes.begin(), plan_.changes.begin() + middle, plan_.changes.end(),
                       [](const Change& a, const Change& b) { return path_less(a.path, b.path); });
  }

  const std::vector<Entry>& local_;
  const std::vector<Entry>& target_;
  const std::set<std::string> index_files_;
  const PathSet untouchable_;
  const TransferPolicy* const policy_;
  const Comparer compare_;
  const LinkMap local_links_;
  const LinkMap target_links_;
  Removals removals_;
  std::uint32_t next_local_ = 0;
  const std::string* left_dir_ = nullptr;  // of the target
  std::array<std::vector<std::uint32_t>, kKinds> phases_;
  std::unordered_map<std::uint32_t, First> firsts_;  // by target index
  std::unordered_set<std::uint32_t> claimed_;        // local files
  Plan plan_;
};

}  // namespace

Plan make_plan(const Entries& local, const Entries& target, const PlanRules& rules) {
  check_tree(target);
  return Planner(local, target, rules).run();
}

}  // namespace xs
