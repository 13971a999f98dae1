// SPDX-License-Identifier: MIT
#include "sync/filter_walk.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "protocol/limits.h"

namespace xs {
namespace {

// An absolute path without empty, "." and ".." components, and without a trailing slash; "" is "/".
std::string clean(std::string_view path) {
  std::string result;
  for (std::size_t begin = 0; begin < path.size();) {
    std::size_t end = path.find('/', begin);
    if (end == std::string_view::npos) end = path.size();
    const std::string_view part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      result.resize(result.empty() ? 0 : result.rfind('/'));
    } else {
      result += '/';
      result += part;
    }
  }
  return result;
}

std::string below(const std::string& dir, std::string_view name) {
  return !name.empty() && name.front() == '/' ? clean(name) : clean(dir + "/" + std::string(name));
}

}  // namespace

// ---- the walk: entering and leaving directories
// ---------------------------------------------------------

// A rule ready to be asked. A dir-merge has a slot, and its pattern is not used.
struct FilterWalk::Compiled {
  FilterRule::Kind kind;
  bool negate;
  bool xattr;
  bool perishable;
  bool sender;
  bool receiver;
  std::size_t slot;
  PathPattern pattern;
};

FilterWalk::FilterWalk(const FilterList& list, Config config) : config_(std::move(config)) {
  config_.root = clean(config_.root);
  add_rules(mandatory_, list.mandatory(), true);
  add_rules(rules_, list.rules(), false);
}

std::shared_ptr<const FilterWalk::Compiled> FilterWalk::compile(const FilterRule& rule,
                                                                bool mandatory) {
  const bool merge = rule.kind == FilterRule::Kind::DirMerge;
  const bool unsided = !rule.sender && !rule.receiver;
  const bool hides_only = unsided && config_.delete_excluded && !merge && !mandatory;
  return std::make_shared<const Compiled>(
      Compiled{rule.kind, rule.negate, rule.xattr, rule.perishable && !mandatory,
               rule.sender || unsided, rule.receiver || (unsided && !hides_only), slots_.size(),
               PathPattern(merge ? std::string_view() : rule.pattern, rule.dirs_only, rule.absolute,
                           rule.base)});
}

bool FilterWalk::has_slot(std::string_view name) const {
  return std::any_of(slots_.begin(), slots_.end(),
                     [&](const Slot& slot) { return slot.name == name; });
}

void FilterWalk::add_rules(Rules& to, const std::vector<FilterRule>& rules, bool mandatory) {
  for (const FilterRule& rule : rules) {
    const bool merge = rule.kind == FilterRule::Kind::DirMerge;
    const std::string name(file_name(rule.pattern));
    if (merge && has_slot(name)) continue;
    to.push_back(compile(rule, mandatory));
    if (!merge) continue;
    if (slots_.size() == kDirMerges) {
      throw Error(Fault::Usage, "more than " + std::to_string(kDirMerges) +
                                    " different dir-merge files at once, the last of them " +
                                    quote(name));
    }
    slots_.push_back({rule, name, name != rule.pattern, nullptr});
  }
}

void FilterWalk::enter(std::string_view dir, const FilterLookup& lookup) {
  Level level{slots_.size(), {}};
  for (const Slot& slot : slots_) level.rules.push_back(slot.rules);
  levels_.push_back(std::move(level));
  if (slots_.empty()) return;
  const std::string absolute = dir.empty() ? config_.root : config_.root + "/" + std::string(dir);
  // A file may declare further dir-merges: they add slots at the end, which are read in this
  // directory as well.
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot slot = slots_[i];
    if (slot.scan_parents && !slot.rules) slot.rules = scan_parents(slot, absolute, lookup);
    if (slot.rule.no_inherit || !slot.rules) slot.rules = std::make_shared<const Rules>();
    auto rules = merged(slot, absolute, false, slot.rules, lookup);
    slots_[i].rules = std::move(rules);
  }
}

void FilterWalk::leave() {
  if (levels_.empty()) return;
  const Level& level = levels_.back();
  slots_.resize(level.slots);
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].rules = level.rules[i];
  levels_.pop_back();
}

// The rules of this directory's file in front of the inherited ones.
std::shared_ptr<const FilterWalk::Rules> FilterWalk::merged(const Slot& slot,
                                                            const std::string& dir, bool parent,
                                                            std::shared_ptr<const Rules> inherited,
                                                            const FilterLookup& lookup) {
  const std::string path = lookup_path(dir + "/" + slot.name);
  const auto contents = lookup(path);
  if (!contents) return inherited;
  FilterStyle style = style_of(slot.rule);
  style.base = dir;
  FilterText text;
  FilterParser(merge_reader(dir, lookup), false, true).file(*contents, path, style, text);
  const auto for_others = [&](const FilterRule& rule) {
    return (rule.sender || rule.receiver) && !(rule.sender && config_.sender) &&
           !(rule.receiver && config_.receiver);
  };
  text.rules.erase(std::remove_if(text.rules.begin(), text.rules.end(), for_others),
                   text.rules.end());
  for (FilterRule& rule : text.rules) {
    if (rule.kind == FilterRule::Kind::DirMerge && parent) rule.pattern = below(dir, rule.pattern);
    // The base of the file system's root has no name, and needs none: it is where absolute paths
    // begin.
    if (dir.empty() && rule.base.empty() && rule.pattern.front() == '/') rule.absolute = true;
  }
  Rules local;
  add_rules(local, text.rules, false);
  if (!text.cleared) local.insert(local.end(), inherited->begin(), inherited->end());
  if (local.size() > limits::kFilterRules) {
    throw Error(Fault::Usage, quote(path) + " and the files above it hold more than " +
                                  std::to_string(limits::kFilterRules) + " filter rules");
  }
  return std::make_shared<const Rules>(std::move(local));
}

// ": /.rules" and ": ../.rules" also read the directories from the named one down to the parent of
// the root.
std::shared_ptr<const FilterWalk::Rules> FilterWalk::scan_parents(Slot& slot,
                                                                  const std::string& dir,
                                                                  const FilterLookup& lookup) {
  const std::string file = below(dir, slot.rule.pattern);
  std::size_t end = file.empty() ? 0 : file.rfind('/');
  auto rules = std::make_shared<const Rules>();
  if ((dir + "/").substr(0, end + 1) != file.substr(0, end) + "/") return rules;
  while (end < dir.size()) {
    rules = merged(slot, dir.substr(0, end), true, rules, lookup);
    if (slot.rule.no_inherit) rules = std::make_shared<const Rules>();
    end = std::min(dir.find('/', end + 1), dir.size());
  }
  return rules;
}

std::string FilterWalk::lookup_path(const std::string& absolute) const {
  const std::size_t root = config_.root.size();
  const bool inside =
      absolute.size() > root && absolute[root] == '/' && absolute.substr(0, root) == config_.root;
  return inside ? absolute.substr(root + 1) : absolute;
}

// A merge file named inside a per-directory file: beside the root when it is a bare name, otherwise
// relative to the directory, as in rsync.
FilterReader FilterWalk::merge_reader(const std::string& dir, const FilterLookup& lookup) const {
  return [this, dir, lookup](const std::string& name) {
    const bool bare = name.find('/') == std::string::npos;
    const std::string path = lookup_path(below(bare ? config_.root : dir, name));
    auto contents = lookup(path);
    if (!contents) throw Error(Fault::Io, "the merge file " + quote(path) + " cannot be read");
    return std::move(*contents);
  };
}

// ---- the walk: questions
// --------------------------------------------------------------------------------

FilterWalk::Question FilterWalk::ask(Side side, std::string_view path, bool is_dir, bool xattr,
                                     bool deleting) {
  if (buffer_.empty()) buffer_ = config_.root + "/";
  const std::size_t root = config_.root.size();
  buffer_.resize(root + 1);
  buffer_ += path;
  buffer_ += '/';
  const std::size_t slash = path.rfind('/');
  const std::size_t last = root + 1 + (slash == std::string_view::npos ? 0 : slash + 1);
  return {side, xattr, deleting, {buffer_, root, last, is_dir}};
}

std::optional<bool> FilterWalk::excludes(const Rules& rules, const Question& question) const {
  for (const auto& rule : rules) {
    if (!(question.side == Side::Sender ? rule->sender : rule->receiver)) continue;
    if (question.deleting && rule->perishable) continue;
    if (rule->kind == FilterRule::Kind::DirMerge) {
      const auto& merged = slots_[rule->slot].rules;
      if (!merged) continue;
      if (const auto answer = excludes(*merged, question)) return answer;
      continue;
    }
    if (rule->xattr != question.xattr) continue;
    const bool matches = rule->pattern.matches(question.subject, &steps_);
    if (config_.max_steps != 0 && steps_ > config_.max_steps) {
      throw Error(Fault::Protocol, "the filter rules of the other side take too long to match");
    }
    if (matches != rule->negate) {
      return rule->kind == FilterRule::Kind::Exclude;
    }
  }
  return std::nullopt;
}

std::optional<bool> FilterWalk::excludes(const Question& question) const {
  const auto fenced = excludes(mandatory_, question);
  return fenced == true ? fenced : excludes(rules_, question);
}

bool FilterWalk::hidden(std::string_view path, bool is_dir) {
  return !path.empty() && excludes(ask(Side::Sender, path, is_dir, false, false)).value_or(false);
}

bool FilterWalk::is_protected(std::string_view path, bool is_dir, bool deleting) {
  return !path.empty() &&
         excludes(ask(Side::Receiver, path, is_dir, false, deleting)).value_or(false);
}

bool FilterWalk::hidden_with_parents(std::string_view path, bool is_dir) {
  for (std::size_t at = path.find('/'); at != std::string_view::npos; at = path.find('/', at + 1)) {
    if (hidden(path.substr(0, at), true)) return true;
  }
  return hidden(path, is_dir);
}

bool FilterWalk::fenced(std::string_view path, bool is_dir) {
  const auto hides = [&](std::string_view name, bool dir) {
    return excludes(mandatory_, ask(Side::Sender, name, dir, false, false)) == true;
  };
  for (std::size_t at = path.find('/'); at != std::string_view::npos; at = path.find('/', at + 1)) {
    if (hides(path.substr(0, at), true)) return true;
  }
  return hides(path, is_dir);
}

std::optional<bool> FilterWalk::xattr_hidden(std::string_view name) {
  return excludes(ask(Side::Sender, name, false, true, false));
}

std::optional<bool> FilterWalk::xattr_protected(std::string_view name) {
  return excludes(ask(Side::Receiver, name, false, true, false));
}

}  // namespace xs
