// SPDX-License-Identifier: MIT
#include "sync/plan_compare.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "protocol/entries.h"
#include "protocol/limits.h"
#include "sync/attributes.h"
#include "sync/transfer_policy.h"

namespace xs {
namespace {

[[noreturn]] void not_a_tree(std::string_view path, std::string_view what) {
  throw Error(Fault::Protocol, "the manifest is not a tree: '" + excerpt(path, limits::kName) +
                                   "' " + std::string(what));
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

auto find_entry(const std::vector<Entry>& list, std::string_view path) {
  return std::lower_bound(
      list.begin(), list.end(), path,
      [](const Entry& entry, std::string_view wanted) { return path_less(entry.path, wanted); });
}

// The file that a hard link repeats, or kNoIndex.
std::uint32_t repeated_by(const std::vector<Entry>& list, const Entry& link) {
  const auto at = find_entry(list, link.content);
  const bool found = at != list.end() && at->path == link.content && at->type == EntryType::File &&
                     path_less(at->path, link.path);
  return found ? static_cast<std::uint32_t>(at - list.begin()) : kNoIndex;
}

// Whether the bytes of two files are the same, as far as the entries tell.
std::optional<bool> same_bytes(const Entry& a, const Entry& b) {
  if (a.digest.has_value() != b.digest.has_value()) return std::nullopt;
  if (a.digest) return a.digest == b.digest;
  if (a.inlined && b.inlined) return a.content == b.content;
  return std::nullopt;
}

}  // namespace

bool is_below(std::string_view path, std::string_view dir) {
  if (dir.empty()) return !path.empty();
  return path.size() > dir.size() && path[dir.size()] == '/' &&
         path.compare(0, dir.size(), dir) == 0;
}

void check_tree(const Entries& target) {
  const Entry* before = nullptr;
  std::vector<std::string_view> parents{""};  // the root is a directory, listed or not
  for (const Entry& entry : target.list) {
    if (before != nullptr && !path_less(before->path, entry.path)) {
      not_a_tree(entry.path, "is out of order or repeated");
    }
    before = &entry;
    if (entry.path.empty()) {
      if (entry.type != EntryType::Dir) not_a_tree(entry.path, "is the root and no directory");
      continue;
    }
    const std::string_view parent = parent_of(entry.path);
    while (parents.size() > 1 && !is_below(entry.path, parents.back())) parents.pop_back();
    if (parents.back() != parent) not_a_tree(entry.path, "is in a directory that is not listed");
    if (entry.type == EntryType::Dir) parents.push_back(entry.path);
    if (entry.type == EntryType::Hardlink && repeated_by(target.list, entry) == kNoIndex) {
      not_a_tree(entry.path, "repeats a file that is not listed before it");
    }
  }
}

// ---- PathSet

PathSet::PathSet(const std::vector<std::string>& paths) {
  std::vector<std::string> sorted = paths;
  std::sort(sorted.begin(), sorted.end(), path_less);
  for (std::string& path : sorted) {
    if (!covers(path)) paths_.push_back(std::move(path));
  }
}

bool PathSet::covers(std::string_view path) const {
  const auto after = std::upper_bound(paths_.begin(), paths_.end(), path, path_less);
  return after != paths_.begin() && (after[-1] == path || is_below(path, after[-1]));
}

const std::string* PathSet::find_within(std::string_view dir) const {
  const auto at = std::lower_bound(paths_.begin(), paths_.end(), dir, path_less);
  return at != paths_.end() && (*at == dir || is_below(*at, dir)) ? &*at : nullptr;
}

// ---- LinkMap

LinkMap::LinkMap(const Entries& entries) : entries_(entries) {
  for (std::uint32_t index = 0; index < entries.list.size(); ++index) {
    const Entry& entry = entries.list[index];
    if (entry.type != EntryType::Hardlink) continue;
    const std::uint32_t file = repeated_by(entries.list, entry);
    links_.emplace_back(index, file);
    if (file == kNoIndex) continue;
    shared_.resize(entries.list.size());
    shared_[file] = true;
  }
}

std::uint32_t LinkMap::file_of(std::uint32_t index) const {
  const EntryType type = entries_.list[index].type;
  if (type == EntryType::File) return index;
  if (type != EntryType::Hardlink) return kNoIndex;
  return std::lower_bound(links_.begin(), links_.end(), std::pair(index, std::uint32_t{0}))->second;
}

// ---- Comparer

Comparer::Comparer(const Entries& local, const Entries& target, const Options& options,
                   const TransferPolicy* policy)
    : options_(options),
      policy_(policy),
      users_(users(local, target)),
      groups_(groups(local, target)) {}

Comparer::Ids Comparer::users(const Entries& local, const Entries& target) const {
  if (!options_.keep.has(Keep::Owner)) return {};
  if (policy_ == nullptr) {
    return unify(local.users, target.users, options_.scan.has(Scan::NumericIds));
  }
  Ids ids;
  for (const Principal& one : local.users) ids.local.push_back(one.id);
  for (const Principal& one : policy_->users(target.users)) {
    ids.target.push_back(policy_->user_number(one).value_or(kNoIndex));
  }
  return ids;
}

Comparer::Ids Comparer::groups(const Entries& local, const Entries& target) const {
  if (!options_.keep.has(Keep::Group)) return {};
  if (policy_ == nullptr) {
    return unify(local.groups, target.groups, options_.scan.has(Scan::NumericIds));
  }
  Ids ids;
  for (const Principal& one : local.groups) ids.local.push_back(one.id);
  for (const Principal& one : policy_->groups(target.groups)) {
    ids.target.push_back(policy_->group_number(one).value_or(kNoIndex));
  }
  return ids;
}

bool Comparer::Ids::differ(std::uint32_t ours, std::uint32_t theirs) const {
  const std::uint32_t wanted = target.at(theirs);
  return wanted != kNoIndex && local.at(ours) != wanted;
}

Comparer::Ids Comparer::unify(const std::vector<Principal>& local,
                              const std::vector<Principal>& target, bool numeric) {
  std::map<std::pair<std::string, std::uint32_t>, std::uint32_t> seen;
  const auto ids_of = [&](const std::vector<Principal>& table) {
    std::vector<std::uint32_t> ids;
    for (const Principal& one : table) {
      const bool by_number = numeric || one.name.empty();
      auto key = by_number ? std::pair(std::string(), one.id) : std::pair(one.name, 0U);
      ids.push_back(
          seen.try_emplace(std::move(key), static_cast<std::uint32_t>(seen.size())).first->second);
    }
    return ids;
  };
  Ids ids;
  ids.local = ids_of(local);
  ids.target = ids_of(target);
  return ids;
}

Change Comparer::differences(const Entry& local, const Entry& target) const {
  const Flags<Keep> keep = options_.keep;
  Change change;
  change.type = target.type;
  change.content = content_differs(local, target);
  change.size = target.type == EntryType::File && local.size != target.size;
  change.time = target.type == EntryType::File && !same_time(local, target);
  // Linux has no mode of symbolic links.
  change.mode =
      keep.has(Keep::Permissions) && target.type != EntryType::Symlink && !same_mode(local, target);
  change.owner = keep.has(Keep::Owner) && users_.differ(local.owner, target.owner);
  change.group = keep.has(Keep::Group) && groups_.differ(local.group, target.group);
  if (!local.xattrs.empty() || !target.xattrs.empty()) compare_xattrs(local, target, change);
  return change;
}

bool Comparer::same_time(const Entry& local, const Entry& target) const {
  return policy_ != nullptr ? policy_->same_time(local.mtime_ns, target.mtime_ns)
                            : local.mtime_ns == target.mtime_ns;
}

bool Comparer::same_mode(const Entry& local, const Entry& target) const {
  return local.mode == (policy_ != nullptr ? policy_->mode(target) : target.mode);
}

bool Comparer::content_differs(const Entry& local, const Entry& target) const {
  if (local.size != target.size) return true;
  if (target.type != EntryType::File) return local.content != target.content;
  const Compare compare = options_.compare;
  if (compare == Compare::SizeOnly) return false;
  if (compare == Compare::Quick && same_time(local, target)) return false;
  return !same_bytes(local, target).value_or(false);
}

void Comparer::compare_xattrs(const Entry& local, const Entry& target, Change& change) const {
  const auto differ = [&](bool acl) {
    const auto next = [acl](const std::vector<Xattr>& list, std::size_t at) {
      while (at < list.size() && is_acl(list[at].name) != acl) ++at;
      return at;
    };
    std::size_t ours = next(local.xattrs, 0);
    std::size_t theirs = next(target.xattrs, 0);
    for (; ours < local.xattrs.size() && theirs < target.xattrs.size();
         ours = next(local.xattrs, ours + 1), theirs = next(target.xattrs, theirs + 1)) {
      if (local.xattrs[ours] != target.xattrs[theirs]) return true;
    }
    return ours < local.xattrs.size() || theirs < target.xattrs.size();
  };
  change.acl = options_.keep.has(Keep::Acls) && differ(true);
  change.xattr = options_.keep.has(Keep::Xattrs) && differ(false);
}

bool Comparer::counts(const Change& change) const {
  const bool time =
      change.time && (options_.compare == Compare::Quick || options_.compare == Compare::Always);
  return time || change.content || change.size || change.mode || change.owner || change.group ||
         change.acl || change.xattr;
}

bool Comparer::has_bytes(const Entry& local, const Entry& target, const Change& change) const {
  if (change.content) return false;
  return keeps_bytes() || same_bytes(local, target).value_or(true);
}

}  // namespace xs
