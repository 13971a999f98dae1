// SPDX-License-Identifier: MIT
#include "sync/report/detail.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "protocol/entries.h"

namespace xs {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

const Entry* find(const Entries& entries, std::string_view path) {
  const auto at = std::lower_bound(
      entries.list.begin(), entries.list.end(), path,
      [](const Entry& entry, std::string_view wanted) { return path_less(entry.path, wanted); });
  return at != entries.list.end() && at->path == path ? &*at : nullptr;
}

std::uint32_t id_of(const std::vector<Principal>& table, std::uint32_t index) {
  return index < table.size() ? table[index].id : 0;
}

ChangeDetail detail_of(const Change& change, const Entries& local, const Entries& target) {
  ChangeDetail detail;
  detail.change = change;
  const Entries& from = change.deleted ? local : target;
  const Entry* entry = find(from, change.path);
  if (entry == nullptr) return detail;
  if (entry->type == EntryType::Symlink || entry->type == EntryType::Hardlink) {
    detail.target = entry->content;
  }
  if (entry->type == EntryType::Hardlink) {  // the first name stands for all
    const Entry* first = find(from, entry->content);
    if (first != nullptr) entry = first;
  }
  detail.size = entry->type == EntryType::Symlink ? entry->content.size()
                : entry->type == EntryType::File  ? entry->size
                                                  : 0;
  detail.mtime_ns = entry->mtime_ns;
  detail.mode = entry->mode;
  detail.uid = id_of(from.users, entry->owner);
  detail.gid = id_of(from.groups, entry->group);
  detail.digest = entry->digest;
  const Entry* before = find(local, change.path);
  if (change.type == EntryType::Symlink && change.content && before != nullptr) {
    // A link that is made anew has the source's time, which the plan does not compare.
    detail.change.time = before->mtime_ns / kSecond != entry->mtime_ns / kSecond;
  }
  return detail;
}

std::string_view next_component(std::string_view path) {
  return path.substr(0, std::min(path.find('/'), path.size()));
}

// A directory's name ends in a slash in both arguments.
bool slashed_less(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const std::string_view one = next_component(a);
    const std::string_view other = next_component(b);
    if (one == other && (one.size() < a.size()) == (other.size() < b.size())) {
      a.remove_prefix(std::min(one.size() + 1, a.size()));
      b.remove_prefix(std::min(other.size() + 1, b.size()));
      continue;
    }
    const bool a_dir = one.size() < a.size();
    const bool b_dir = other.size() < b.size();
    if (a_dir != b_dir) return b_dir;
    return a.substr(0, one.size() + 1) < b.substr(0, other.size() + 1);
  }
  return a.empty() && !b.empty();
}

std::string slashed(const Change& change) {
  const bool dir = change.type == EntryType::Dir && !change.path.empty();
  return change.path + (dir ? "/" : "");
}

bool told_before(const ChangeDetail& a, const ChangeDetail& b) {
  return slashed_less(slashed(a.change), slashed(b.change));
}

bool lies_below(std::string_view path, std::string_view dir) {
  return path.size() > dir.size() && path[dir.size()] == '/' && path.substr(0, dir.size()) == dir;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// The deletions of a run, as rsync comes across them.
class Deletions {
 public:
  // `details`: by path, so that a directory comes before what is in it.
  void add(ChangeDetail detail, const std::string& displaced_by) {
    const std::string& path = detail.change.path;
    if (!displaced_by.empty()) {
      making_room_[displaced_by].push_back(std::move(detail));
      return;
    }
    if (top_.empty() || !lies_below(path, top_)) top_ = path;
    const std::string parent = parent_of(top_);
    by_directory_[parent.empty() ? parent : parent + "/"].push_back(std::move(detail));
  }

  void append_making_room(const std::string& path, std::vector<ChangeDetail>& to) {
    const auto at = making_room_.find(path);
    if (at != making_room_.end()) append(at->second, to);
  }

  void append_others(std::vector<ChangeDetail>& to) {
    for (auto& [directory, gone] : by_directory_) append(gone, to);
  }

 private:
  struct Less {
    bool operator()(const std::string& a, const std::string& b) const { return slashed_less(a, b); }
  };

  static void append(std::vector<ChangeDetail>& gone, std::vector<ChangeDetail>& to) {
    std::sort(gone.begin(), gone.end(),
              [](const ChangeDetail& a, const ChangeDetail& b) { return told_before(b, a); });
    std::move(gone.begin(), gone.end(), std::back_inserter(to));
  }

  std::string top_;  // the deletion under which the next ones may lie
  std::map<std::string, std::vector<ChangeDetail>, Less> by_directory_;
  std::map<std::string, std::vector<ChangeDetail>> making_room_;
};

}  // namespace

std::vector<ChangeDetail> details_of(const std::vector<Change>& changes, const Entries& local,
                                     const Entries& target) {
  std::vector<ChangeDetail> details;
  details.reserve(changes.size());
  for (const Change& change : changes) details.push_back(detail_of(change, local, target));
  return details;
}

void order_as_rsync(std::vector<ChangeDetail>& details, DeletionsTold deletions) {
  const auto by_path = [](const ChangeDetail& a, const ChangeDetail& b) {
    return path_less(a.change.path, b.change.path);
  };
  std::stable_sort(details.begin(), details.end(), by_path);
  Deletions gone;
  std::vector<ChangeDetail> items;
  std::string displacing;  // the last object that came in a directory's place, perhaps
  for (ChangeDetail& detail : details) {
    if (!detail.change.deleted) {
      if (detail.change.created && detail.change.type != EntryType::Dir) {
        displacing = detail.change.path;
      }
      items.push_back(std::move(detail));
      continue;
    }
    const bool makes_room = !displacing.empty() && lies_below(detail.change.path, displacing);
    gone.add(std::move(detail), makes_room ? displacing : std::string());
  }
  std::stable_sort(items.begin(), items.end(), told_before);
  details.clear();
  if (deletions == DeletionsTold::First) gone.append_others(details);
  for (ChangeDetail& item : items) {
    gone.append_making_room(item.change.path, details);
    details.push_back(std::move(item));
  }
  if (deletions == DeletionsTold::Last) gone.append_others(details);
}

}  // namespace xs
