// SPDX-License-Identifier: MIT
#include "sync/served_tree.h"

#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "base/io.h"
#include "base/text.h"
#include "protocol/entries.h"
#include "sync/contents.h"
#include "sync/filter_walk.h"
#include "sync/hash.h"
#include "sync/local_tree.h"
#include "sync/plan_compare.h"

namespace xs {
namespace {

// Time stamps of files advance with the timer interrupt: 10 ms where it is slowest, doubled to be
// safe.
constexpr std::chrono::milliseconds kTick{20};
// Scans until files that move under our eyes are given up.
constexpr int kPatience = 20;
constexpr unsigned kPulseEvery = 256;

bool is_young(const FileStat& st) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  const std::int64_t ns = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  const std::int64_t tick = std::chrono::nanoseconds(kTick).count();
  return st.ctime_ns > ns - tick && st.ctime_ns < ns + tick;
}

const Entry* find(const Entries& entries, std::string_view path) {
  const auto at = std::lower_bound(
      entries.list.begin(), entries.list.end(), path,
      [](const Entry& entry, std::string_view wanted) { return path_less(entry.path, wanted); });
  return at != entries.list.end() && at->path == path ? &*at : nullptr;
}

// A hard link whose first name cannot be read any more is listed anew, and its inode is the same.
bool named_otherwise(const Entry& before, const Entry& after) {
  return before.type != after.type ||
         (after.type == EntryType::Hardlink && before.content != after.content);
}

// No symbolic link below the root is followed.
Dir open_served(const std::string& root, const std::string& below) {
  Dir dir = Dir::open_root(root);
  return below.empty() ? std::move(dir) : dir.walk(below).as_root(root + "/" + below);
}

FileEnd worthless(FileResult result, std::string what) { return {result, {}, std::move(what)}; }

}  // namespace

ServedTree::ServedTree(const std::string& root, ServedRules rules, Clock& clock)
    : root_(open_served(root, rules.below)),
      root_path_(rules.below.empty() ? root : root + "/" + rules.below),
      rules_(std::move(rules)),
      clock_(clock) {
  tree_ = scan_after({});
  settle();
}

// Names and metadata only.
ScanResult ServedTree::scan_tree() {
  FilterWalk::Config config;
  config.root = root_path_;
  config.delete_excluded = rules_.options.scan.has(Scan::DeleteExcluded);
  config.receiver = false;
  FilterWalk walk(rules_.filters, config);
  unsigned asked = 0;
  ScanRequest request;
  request.options = rules_.options;
  request.options.compare = Compare::Quick;
  request.options.inline_limit = 0;
  request.max_entries = rules_.max_entries;
  request.hidden = [&](std::string_view path, bool is_dir) {
    if (++asked % kPulseEvery == 0 && rules_.pulse) rules_.pulse();
    return walk.hidden(path, is_dir);
  };
  if (rules_.filters.has_dir_merge()) {
    request.enter = [&](const Dir& dir) {
      walk.enter(dir.path(), [&](const std::string& path) {
        // A client could learn what is in a file from what its lines do as rules.
        return walk.fenced(path, false) ? std::nullopt : read_rule_file(root_, path);
      });
    };
    request.leave = [&](std::string_view) { walk.leave(); };
  }
  return scan(root_, request);
}

// Files that read() could not open are problems, and no part of the tree; nor are the hard links
// that repeat one.
void ServedTree::set_aside(ScanResult& tree) const {
  if (unreadable_.empty()) return;
  std::map<std::string_view, const Problem*> aside;
  for (const Problem& problem : unreadable_) aside.emplace(problem.path, &problem);
  auto& list = tree.entries.list;
  std::size_t kept = 0;
  for (std::size_t at = 0; at < list.size(); ++at) {
    const Entry& entry = list[at];
    const auto itself = aside.find(entry.path);
    if (itself != aside.end()) {
      tree.problems.push_back(*itself->second);
    } else if (entry.type == EntryType::Hardlink && aside.count(entry.content) != 0) {
      tree.problems.push_back({entry.path, "the file that it links to could not be read"});
    } else {
      if (kept != at) {
        list[kept] = std::move(list[at]);
        tree.stamps[kept] = tree.stamps[at];
      }
      ++kept;
    }
  }
  list.resize(kept);
  tree.stamps.resize(kept);
  renumber_owners(tree.entries);
}

// A new scan; in a comparison by contents with all digests, taken over from `before` where a file
// has not moved.
ScanResult ServedTree::scan_after(const ScanResult& before) {
  ScanResult tree = scan_tree();
  set_aside(tree);
  if (rules_.options.compare != Compare::Content) return tree;
  std::vector<bool> unsure(before.entries.list.size());
  for (const std::uint32_t at : before.young) unsure[at] = true;
  std::size_t was = 0;
  for (std::size_t is = 0; is < tree.entries.list.size(); ++is) {
    const std::string& path = tree.entries.list[is].path;
    while (was < before.entries.list.size() && path_less(before.entries.list[was].path, path))
      ++was;
    const bool known = was < before.entries.list.size() && before.entries.list[was].path == path &&
                       before.stamps[was] == tree.stamps[is] && !unsure[was] &&
                       !named_otherwise(before.entries.list[was], tree.entries.list[is]);
    if (known) tree.entries.list[is].digest = before.entries.list[was].digest;
  }
  unsigned read = 0;
  ContentRequest request;
  request.wanted = [&](const Entry& entry) {
    if (++read % kPulseEvery == 0 && rules_.pulse) rules_.pulse();
    return !entry.digest;
  };
  read_contents(root_, tree, request);
  return tree;
}

void ServedTree::wait_a_tick() {
  if (rules_.pulse) rules_.pulse();
  clock_.poll({}, clock_.now() + kTick);
}

// Until no file was read while it moved, or too soon after it had.
void ServedTree::settle() {
  for (int tries = 0; !tree_.moved.empty() || !tree_.young.empty(); ++tries) {
    if (tries == kPatience) {
      const auto at = tree_.moved.empty() ? tree_.young.front() : tree_.moved.front();
      throw Error(Fault::Vanished,
                  "the source does not stand still: " + quote(tree_.entries.list[at].path) +
                      " changes whenever it is read");
    }
    wait_a_tick();
    tree_ = scan_after(tree_);
  }
}

Digest ServedTree::generation() const { return xs::generation(tree_.entries, rules_.options); }

Difference ServedTree::everything() const {
  Difference all;
  for (std::uint32_t at = 0; at < tree_.entries.list.size(); ++at) all.entries.push_back(at);
  return all;
}

Difference ServedTree::against(const Entries& index) const {
  const Comparer comparer(index, tree_.entries, rules_.options);
  Difference found;
  auto theirs = index.list.begin();
  for (std::uint32_t at = 0; at < tree_.entries.list.size(); ++at) {
    const Entry& ours = tree_.entries.list[at];
    for (; theirs != index.list.end() && path_less(theirs->path, ours.path); ++theirs)
      found.gone.push_back(theirs->path);
    const bool have = theirs != index.list.end() && theirs->path == ours.path;
    const bool equal =
        have && theirs->type == ours.type && !comparer.counts(comparer.differences(*theirs, ours));
    if (have) ++theirs;
    if (!equal) found.entries.push_back(at);
  }
  for (; theirs != index.list.end(); ++theirs) found.gone.push_back(theirs->path);
  return found;
}

// By contents a file is its digest; otherwise any touch may hide a change that size and mtime do
// not show.
bool ServedTree::same(const ScanResult& before, std::uint32_t was, const ScanResult& after,
                      std::uint32_t is) const {
  const Entry& old = before.entries.list[was];
  const Entry& now = after.entries.list[is];
  if (old.type != now.type) return false;
  if (now.type == EntryType::File && rules_.options.compare != Compare::Content) {
    return before.stamps[was] == after.stamps[is];
  }
  const Comparer comparer(before.entries, after.entries, rules_.options);
  return !comparer.counts(comparer.differences(old, now));
}

Difference ServedTree::look_again() {
  ScanResult before = std::move(tree_);
  tree_ = scan_after(before);
  settle();
  Difference moved;
  std::uint32_t was = 0;
  for (std::uint32_t is = 0; is < tree_.entries.list.size(); ++is) {
    const std::string& path = tree_.entries.list[is].path;
    for (; was < before.entries.list.size() && path_less(before.entries.list[was].path, path);
         ++was) {
      moved.gone.push_back(before.entries.list[was].path);
    }
    const bool had = was < before.entries.list.size() && before.entries.list[was].path == path;
    // Most files have the stamp that they had; only the others are worth a closer look.
    const bool touched = !had || before.stamps[was] != tree_.stamps[is] ||
                         named_otherwise(before.entries.list[was], tree_.entries.list[is]);
    if (touched && (!had || !same(before, was, tree_, is))) moved.entries.push_back(is);
    if (had) ++was;
  }
  for (; was < before.entries.list.size(); ++was)
    moved.gone.push_back(before.entries.list[was].path);
  return moved;
}

std::optional<std::uint64_t> ServedTree::stamp_of(const std::string& path) const {
  const Entry* entry = find(tree_.entries, path);
  if (entry == nullptr) return std::nullopt;
  return tree_.stamps[static_cast<std::size_t>(entry - tree_.entries.list.data())];
}

FileEnd ServedTree::read(const Entry& entry,
                         const std::function<void(std::string_view)>& take) try {
  const SplitPath parts = split_path(entry.path);
  const auto file = root_.walk(parts.parent).open_file_if_exists(parts.name, O_RDONLY);
  if (!file) return worthless(FileResult::Vanished, "it is gone");
  FileStat before = stat_fd(*file, entry.path);
  for (int tries = 0; is_young(before) && tries < kPatience; ++tries) {
    wait_a_tick();
    before = stat_fd(*file, entry.path);
  }
  if (before.stamp() != stamp_of(entry.path))
    return worthless(FileResult::Moved, "it changed since it was listed");
  Hasher hasher;
  std::vector<char> piece(limits::kBlock);
  while (const auto got = read_some(file->get(), piece, entry.path).value_or(0)) {
    hasher.update({piece.data(), got});
    take({piece.data(), got});
  }
  const Digest digest = hasher.digest();
  if (stat_fd(*file, entry.path).stamp() != before.stamp() ||
      (entry.digest && *entry.digest != digest)) {
    return worthless(FileResult::Moved, "it changed while it was read");
  }
  return {FileResult::Complete, digest, ""};
} catch (const Error& error) {
  if (error.fault() != Fault::Io || error.code() == 0)
    throw;  // of the channel, or of a lack of memory
  if (error.code() == ENOENT || error.code() == ENOTDIR || error.code() == ELOOP ||
      error.code() == ESTALE) {
    return worthless(FileResult::Vanished, errno_text(error.code()));
  }
  unreadable_.push_back({entry.path, errno_text(error.code())});
  return worthless(FileResult::Unreadable, errno_text(error.code()));
}

}  // namespace xs
