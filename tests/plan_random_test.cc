// SPDX-License-Identifier: MIT
// Plans of random pairs of trees, carried out on a tree in memory that complains about every step
// that a commit could not, or should not, take.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>

#include "protocol/entries.h"
#include "sync/hash.h"
#include "sync/plan.h"
#include "sync/plan_compare.h"
#include "tests/support/catch.h"
#include "tests/support/random_trees.h"
#include "tests/support/setting.h"
#include "tests/support/trees.h"

namespace xs {
namespace {

using namespace test;

void require(bool truth, const std::string& what) {
  if (!truth) throw std::logic_error(what);
}

// An object of the tree; hard links share one. The path in it is not used.
using Body = std::shared_ptr<Item>;
using Tree = std::map<std::string, Body, bool (*)(std::string_view, std::string_view)>;

Body body_of(const Entries& from, const Entry& entry) {
  Item made = item_of(from, entry);
  made.entry.path.clear();
  return std::make_shared<Item>(std::move(made));
}

Tree model_of(const Entries& entries) {
  Tree made(path_less);
  for (const Entry& entry : entries.list) {
    made[entry.path] =
        entry.type == EntryType::Hardlink ? made.at(entry.content) : body_of(entries, entry);
  }
  return made;
}

Entries scan_of(const Tree& model, const Options& options) {
  std::vector<Item> items;
  std::map<const Item*, std::string> first;
  for (const auto& [path, body] : model) {
    Item item = *body;
    item.entry.path = path;
    const auto [at, is_new] = first.try_emplace(body.get(), path);
    if (!is_new && options.keep.has(Keep::Hardlinks)) {
      item.entry.type = EntryType::Hardlink;
      item.entry.content = at->second;
      item.entry.size = 0;
      item.entry.digest.reset();
      item.entry.xattrs.clear();
      item.entry.inlined = false;
    }
    items.push_back(std::move(item));
  }
  return raw_entries(items);
}

bool same(const Body& a, const Body& b, const Options& options) {
  return generation(raw_entries({*a}), options) == generation(raw_entries({*b}), options);
}

// ---- carrying a plan out

class Commit {
 public:
  Commit(const PlanCase& c, const Plan& plan)
      : case_(c),
        plan_(plan),
        before_(model_of(c.local)),
        wanted_(model_of(c.target)),
        tree_(before_),
        untouchable_(c.rules.untouchable),
        index_(c.rules.index_files.begin(), c.rules.index_files.end()) {
    tree_.try_emplace("", std::make_shared<Item>(dir("")));
    for (const StagedContent& one : plan.contents) stage(one);
  }

  void run() {
    ActionKind last = ActionKind::Displace;
    for (const Action& action : plan_.actions) {
      require(action.kind >= last, "out of phase: " + action.path);
      last = action.kind;
      apply(action);
    }
    require(staged_.empty(), "something was staged and not used");
    check_target();
    check_rest();
    check_changes();
  }

  const Tree& tree() const { return tree_; }

 private:
  const Entry& entry(const Action& action) const { return case_.target.list.at(action.entry); }
  const Options& options() const { return case_.rules.options; }

  static bool is_dir(const Body& body) { return body->entry.type == EntryType::Dir; }
  static std::string parent(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
  }

  void stage(const StagedContent& one) {
    const Entry& entry = case_.target.list.at(one.entry);
    require(entry.type == EntryType::File, "only files are staged");
    const auto ours = before_.find(entry.path);
    const bool regular = ours != before_.end() && ours->second->entry.type == EntryType::File;
    require(one.basis == regular, "basis is there or not: " + entry.path);
    if (one.source == Source::Inlined) require(entry.inlined, "nothing is inlined");
    if (one.source == Source::Local) {
      require(regular, "no local file to copy: " + entry.path);
      const Entry& had = ours->second->entry;
      const bool by_size = options().compare == Compare::SizeOnly && had.size == entry.size;
      require(by_size || !had.digest || !entry.digest || had.digest == entry.digest,
              "other bytes: " + entry.path);
    }
    require(staged_.insert(one.entry).second, "staged twice");
  }

  void apply(const Action& action) {
    const std::string& path = action.path;
    require(!untouchable_.covers(path), "touches what it must not: " + path);
    const bool named = action.entry != Action::kNoEntry;
    if (named) require(entry(action).path == path, "action and entry disagree");
    switch (action.kind) {
      case ActionKind::Displace: return displace(path);
      case ActionKind::Delete:
        require(tree_.count(path) != 0 && !is_dir(tree_.at(path)), "no file to delete: " + path);
        require(!deleted_other_ || index_.count(path) == 0, "an index goes late: " + path);
        deleted_other_ = deleted_other_ || index_.count(path) == 0;
        return remove(path);
      case ActionKind::DeleteDir:
        require(tree_.count(path) != 0 && is_dir(tree_.at(path)), "no directory: " + path);
        return remove(path);
      case ActionKind::DirAttributes:
        require(tree_.count(path) != 0 && is_dir(tree_.at(path)), "no directory: " + path);
        require(attributed_.empty() || !is_below(path, *attributed_.rbegin()), "parent first");
        attributed_.insert(path);
        tree_[path] = body_of(case_.target, entry(action));
        return;
      default: return put(action);
    }
  }

  void displace(const std::string& path) {
    require(tree_.count(path) != 0 && wanted_.count(path) != 0, "nothing to displace: " + path);
    require(is_dir(tree_.at(path)) != is_dir(wanted_.at(path)), "same kind: " + path);
    for (auto at = tree_.lower_bound(path);
         at != tree_.end() && (at->first == path || is_below(at->first, path));) {
      if (at->first != path) {
        require(!untouchable_.covers(at->first) && !is_protected(at->first),
                "displaces what stays: " + at->first);
        require(wanted_.count(at->first) == 0, "displaces what is wanted: " + at->first);
      }
      at = tree_.erase(at);
    }
  }

  void remove(const std::string& path) {
    require(case_.rules.remove, "must not delete: " + path);
    require(wanted_.count(path) == 0, "deletes what is wanted: " + path);
    require(!is_protected(path), "deletes what is protected: " + path);
    const auto next = std::next(tree_.find(path));
    require(next == tree_.end() || !is_below(next->first, path), "not empty: " + path);
    tree_.erase(path);
  }

  bool is_protected(const std::string& path) const {
    for (const std::string& one : case_.protected_paths) {
      const bool gone = wanted_.count(one) == 0;
      if (gone && (path == one || is_below(path, one))) return true;
    }
    return false;
  }

  void put(const Action& action) {
    const std::string& path = action.path;
    const Entry& wanted = entry(action);
    const auto above = tree_.find(parent(path));
    require(above != tree_.end() && is_dir(above->second), "no parent: " + path);
    const auto there = tree_.find(path);
    if (action.kind == ActionKind::MakeDir) {
      require(wanted.type == EntryType::Dir && there == tree_.end(), "in the way: " + path);
      tree_[path] = std::make_shared<Item>(dir("").mode(0700).owner("nobody", 1));
      return;
    }
    require(there == tree_.end() || !is_dir(there->second), "a directory in the way: " + path);
    check_kind(action.kind, wanted);
    if (wanted.type == EntryType::File) {
      require(staged_.erase(action.entry) == 1, "not staged: " + path);
    }
    if (wanted.type == EntryType::Hardlink) {
      const Body first = tree_.at(wanted.content);
      require(same(first, wanted_.at(wanted.content), options()), "the first name is not ready");
      require(there == tree_.end() || there->second != first, "already linked: " + path);
      tree_[path] = first;
    } else {
      tree_[path] = body_of(case_.target, wanted);
    }
  }

  void check_kind(ActionKind kind, const Entry& wanted) {
    const bool named = index_.count(wanted.path) != 0;
    const bool follows = wanted.type == EntryType::Hardlink && index_.count(wanted.content) != 0;
    switch (kind) {
      case ActionKind::Install: require(wanted.type == EntryType::File && !named, "kind"); break;
      case ActionKind::Link: require(wanted.type == EntryType::Hardlink && !named, "kind"); break;
      case ActionKind::Symlink: require(wanted.type == EntryType::Symlink, "kind"); break;
      case ActionKind::Special: require(wanted.type > EntryType::Hardlink, "kind"); break;
      default:
        require(is_regular(wanted.type) && (named || follows), "not an index: " + wanted.path);
        if (!index_seen_) check_ready_for_index();
        index_seen_ = true;
    }
  }

  // All that an index can name is in place when the first one changes.
  void check_ready_for_index() const {
    for (const Entry& one : case_.target.list) {
      const bool link = one.type == EntryType::Hardlink;
      if (index_.count(one.path) != 0 || (link && index_.count(one.content) != 0)) continue;
      if (one.type == EntryType::Dir || left_alone(one.path)) continue;
      require(holds(one.path), "the index comes before " + one.path);
    }
  }

  // ---- the result

  bool left_alone(const std::string& path) const {
    if (untouchable_.covers(path)) return true;
    for (const Problem& problem : plan_.problems) {
      if (path == problem.path || is_below(path, problem.path)) return true;
    }
    const Entry* wanted = find(case_.target, path);
    return wanted != nullptr && wanted->type == EntryType::Hardlink && left_alone(wanted->content);
  }

  bool holds(const std::string& path) const {
    const auto at = tree_.find(path);
    return at != tree_.end() && same(at->second, wanted_.at(path), options());
  }

  void check_target() const {
    std::map<const Item*, const Item*> files;  // ours, wanted
    for (const auto& [path, body] : wanted_) {
      if (left_alone(path)) continue;
      require(holds(path), "not as wanted: " + path);
      if (body->entry.type != EntryType::File || !options().keep.has(Keep::Hardlinks)) continue;
      const auto [at, is_new] = files.try_emplace(tree_.at(path).get(), body.get());
      require(at->second == body.get(), "linked to another file: " + path);
    }
    std::map<const Item*, const Item*> back;
    for (const auto& [ours, wanted] : files) {
      require(back.try_emplace(wanted, ours).second, "names of one file are apart");
    }
  }

  void check_rest() const {
    for (const auto& [path, body] : before_) {
      const bool stays = untouchable_.covers(path) || is_protected(path) ||
                         (!case_.rules.remove && wanted_.count(path) == 0 && !under_change(path));
      if (!stays) continue;
      const auto at = tree_.find(path);
      require(at != tree_.end() && at->second == body, "changed or gone: " + path);
    }
    for (const auto& [path, body] : tree_) {
      if (!case_.rules.remove || wanted_.count(path) != 0 || left_alone(path)) continue;
      require(is_protected(path) || untouchable_.find_within(path) != nullptr || holds_kept(path),
              "still there: " + path);
    }
  }
  // Inside a directory that became something else.
  bool under_change(const std::string& path) const {
    for (std::string up = parent(path); !up.empty(); up = parent(up)) {
      if (wanted_.count(up) != 0) return !is_dir(wanted_.at(up));
    }
    return false;
  }
  bool holds_kept(const std::string& dir) const {
    for (const auto& [path, body] : tree_) {
      if (is_below(path, dir) && (is_protected(path) || untouchable_.covers(path))) return true;
    }
    return false;
  }

  void check_changes() const {
    std::uint64_t creates = 0;
    std::uint64_t deletes = 0;
    const std::string* last = nullptr;
    for (const Change& change : plan_.changes) {
      require(last == nullptr || path_less(*last, change.path), "changes are not sorted");
      last = &change.path;
      creates += change.created && before_.count(change.path) == 0 ? 1 : 0;
      deletes += change.deleted ? 1 : 0;
      require(change.deleted == (tree_.count(change.path) == 0), "deleted or not: " + change.path);
    }
    require(creates == plan_.creates && deletes == plan_.deletes, "counts");
    for (const auto& [path, body] : before_) {
      const bool logged = std::binary_search(
          plan_.changes.begin(), plan_.changes.end(), Change{path},
          [](const Change& a, const Change& b) { return path_less(a.path, b.path); });
      const auto at = tree_.find(path);
      require(logged || (at != tree_.end() && at->second == body), "not logged: " + path);
    }
  }

  const PlanCase& case_;
  const Plan& plan_;
  const Tree before_;
  const Tree wanted_;
  Tree tree_;
  const PathSet untouchable_;
  const std::set<std::string> index_;
  std::set<std::uint32_t> staged_;
  std::set<std::string> attributed_;
  bool deleted_other_ = false;
  bool index_seen_ = false;
};

void check(const PlanCase& c) {
  const Plan plan = make_plan(c.local, c.target, c.rules);
  require(plan.actions == make_plan(c.local, c.target, c.rules).actions, "not deterministic");
  const Options& options = c.rules.options;
  const bool equal = generation(c.local, options) == generation(c.target, options);
  // Always looks at bytes that its generation does not count.
  const bool sees_more = options.compare == Compare::Always;
  if (equal && !sees_more) require(plan.empty(), "equal generations and a plan");
  const bool plain = c.rules.untouchable.empty() && c.protected_paths.empty() && c.rules.remove;
  if (plain) require(!plan.empty() || equal, "no plan for different generations");

  Commit commit(c, plan);
  commit.run();
  const Entries result = scan_of(commit.tree(), options);
  if (plain) {
    require(generation(result, options) == generation(c.target, options), "not the target");
  }
  const Plan again = make_plan(result, c.target, c.rules);
  require(again.empty() && again.changes.empty(),
          "a second plan: " + (again.empty() ? "changes" : again.actions.front().path));
  require(again.problems == plan.problems && again.kept == plan.kept, "other problems");
}

}  // namespace

TEST_CASE("plan: carried out step by step, every plan leads to its target", "[sync]") {
  const std::uint64_t seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    const PlanCase one = random_case(random);
    try {
      check(one);
    } catch (const std::exception& error) {
      FAIL("round " << round << ": " << error.what() << "\n" << show(one));
    }
  }
}

}  // namespace xs
