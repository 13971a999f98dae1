// SPDX-License-Identifier: MIT
#include "sync/served_tree.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cassert>
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
#include "sync/stand_still.h"

namespace xs {
namespace {

constexpr std::chrono::nanoseconds kTick{kFileTick};
// Scans until files that move under our eyes are given up.
constexpr int kPatience = 20;
constexpr unsigned kPulseEvery = 256;
constexpr std::size_t kShapes = std::size_t{1} << 16;

bool is_young(const FileStat& st) {
  const std::int64_t now = file_clock();
  return st.ctime_ns > now - kFileTick && st.ctime_ns < now + kFileTick;
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
      clock_(clock),
      tree_(scan_tree()),
      held_(root_.walk("")) {}

bool ServedTree::same_walk(const Options& one, Options other) {
  other.compare = one.compare;  // only which digests are read
  other.inline_limit = one.inline_limit;
  // What was read of the owners can be left out: only a client with privilege asks for them.
  if (one.keep.has(Keep::Owner)) other.keep = other.keep | Flags<Keep>{Keep::Owner};
  return one == other;
}

void ServedTree::compare_as(const Options& options) {
  assert(same_walk(rules_.options, options));
  const bool forget = rules_.options.keep.has(Keep::Owner) && !options.keep.has(Keep::Owner);
  rules_.options = options;
  if (!forget) return;
  tree_.entries.users.assign(1, {});  // as a scan without them leaves the table
  for (Entry& entry : tree_.entries.list) entry.owner = 0;
}

// Names and metadata only.
ScanResult ServedTree::scan_tree() {
  scanned_ = file_clock();
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
void ServedTree::scan_after(const ScanResult& before) {
  ScanResult tree = scan_tree();
  set_aside(tree);
  if (by_contents()) {
    std::vector<bool> unsure(before.entries.list.size());
    for (const std::uint32_t at : before.young) unsure[at] = true;
    std::size_t was = 0;
    for (std::size_t is = 0; is < tree.entries.list.size(); ++is) {
      const std::string& path = tree.entries.list[is].path;
      while (was < before.entries.list.size() && path_less(before.entries.list[was].path, path))
        ++was;
      const bool known = was < before.entries.list.size() &&
                         before.entries.list[was].path == path &&
                         before.stamps[was] == tree.stamps[is] && !unsure[was] &&
                         !named_otherwise(before.entries.list[was], tree.entries.list[is]);
      if (known) tree.entries.list[is].digest = before.entries.list[was].digest;
    }
  }
  tree_ = std::move(tree);
  if (by_contents()) read_digests({});
}

// Those that are missing; of the files that are wanted only, where that is given.
void ServedTree::read_digests(const Wanted& wanted) {
  unsigned read = 0;
  ContentRequest request;
  request.wanted = [&](const Entry& entry) {
    if (++read % kPulseEvery == 0 && rules_.pulse) rules_.pulse();
    return !entry.digest &&
           (!wanted || wanted(static_cast<std::uint32_t>(&entry - tree_.entries.list.data())));
  };
  read_contents(root_, tree_, request);
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
    scan_after(ScanResult(std::move(tree_)));
  }
}

Digest ServedTree::generation() {
  if (by_contents()) {
    read_digests({});
    settle();
  }
  return xs::generation(tree_.entries, rules_.options);
}

IndexDifference ServedTree::everything() {
  if (by_contents()) {
    read_digests({});
    settle();
  }
  IndexDifference all;
  for (std::uint32_t at = 0; at < tree_.entries.list.size(); ++at) all.entries.push_back(at);
  return all;
}

// Files of which the index has no entry of that shape are read when they are sent, not before.
void ServedTree::read_digests_for(const Index& index, std::uint32_t inline_limit) {
  std::bitset<kShapes> shapes;
  for (const std::uint64_t print : index.prints) shapes.set(shape_in(print));
  read_digests([&](std::uint32_t at) {
    const Entry& ours = tree_.entries.list[at];
    return ours.size > inline_limit || shapes.test(shape_of(ours, index.seed));
  });
  settle();
}

// A fingerprint does not say that nothing is known of a file's contents.
bool ServedTree::comparable(const Entry& entry) const {
  if (entry.type != EntryType::File) return true;
  return by_contents() ? entry.digest.has_value() : rules_.options.compare != Compare::Always;
}

IndexDifference ServedTree::against(const Index& index, std::uint32_t inline_limit) {
  if (by_contents()) read_digests_for(index, inline_limit);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> theirs;
  theirs.reserve(index.prints.size());
  for (const std::uint64_t print : index.prints)
    theirs.emplace_back(print, static_cast<std::uint32_t>(theirs.size()));
  std::sort(theirs.begin(), theirs.end());
  std::vector<bool> matched(theirs.size());  // by place in the index
  const auto ours = fingerprints(tree_.entries, rules_.options, index.seed);
  IndexDifference found;
  for (std::uint32_t at = 0; at < ours.size(); ++at) {
    const auto same = std::lower_bound(theirs.begin(), theirs.end(), std::pair(ours[at], 0U));
    const bool equal = same != theirs.end() && same->first == ours[at] && !matched[same->second] &&
                       comparable(tree_.entries.list[at]);
    if (equal)
      matched[same->second] = true;
    else
      found.entries.push_back(at);
  }
  for (std::uint32_t place = 0; place < matched.size(); ++place) {
    if (!matched[place]) found.gone.push_back(place);
  }
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

ServedTree::Compared ServedTree::compare(const ScanResult& before) const {
  Compared result;
  Difference& moved = result.moved;
  std::uint32_t was = 0;
  const auto& old = before.entries.list;
  result.places.assign(old.size(), kGone);
  for (std::uint32_t is = 0; is < tree_.entries.list.size(); ++is) {
    const Entry& now = tree_.entries.list[is];
    for (; was < old.size() && path_less(old[was].path, now.path); ++was)
      moved.gone.push_back(old[was].path);
    const bool had = was < old.size() && old[was].path == now.path;
    // Most files have the stamp that they had; only the others are worth a closer look.
    const bool touched = !had || before.stamps[was] != tree_.stamps[is] ||
                         old[was].digest.has_value() != now.digest.has_value() ||
                         named_otherwise(old[was], now);
    const bool differs = touched && (!had || !same(before, was, tree_, is));
    if (differs) moved.entries.push_back(is);
    // A directory is touched by every name that comes or goes, excluded ones too.
    const bool there_and_back = touched && !differs && now.type != EntryType::Dir;
    result.touched = result.touched || there_and_back;
    if (had) result.places[was++] = is;
  }
  for (; was < old.size(); ++was) moved.gone.push_back(old[was].path);
  return result;
}

ServedTree::Compared ServedTree::scan_and_compare() {
  const ScanResult before = std::move(tree_);
  read_failed_ = false;
  scan_after(before);
  settle();
  return compare(before);
}

Difference ServedTree::look_again(
    const std::function<void(const std::vector<std::uint32_t>&)>& renumbered) {
  const bool plain = !read_failed_ && unreadable_.empty() && !rules_.filters.has_dir_merge();
  if (plain && stands_still(root_, tree_, scanned_, rules_.pulse)) return {};
  Compared found = scan_and_compare();
  // What was changed and changed back may have been read while it was otherwise, or beside what
  // was: two scans that agree prove one state only if nothing was touched between them.
  for (int tries = 0; found.moved.empty() && found.touched; ++tries) {
    if (tries == kPatience) {
      throw Error(Fault::Vanished,
                  "the source does not stand still: its files are written anew "
                  "all the time, if only with what they had");
    }
    wait_a_tick();
    Compared next = scan_and_compare();
    for (std::uint32_t& place : found.places)
      if (place != kGone) place = next.places[place];
    found.moved = std::move(next.moved);
    found.touched = next.touched;
  }
  if (renumbered) renumbered(found.places);
  return std::move(found.moved);
}

// Of the file that is read next, mostly the one of the last.
const Dir& ServedTree::parent_of(const std::string& path) {
  const std::string_view parent = split_path(path).parent;
  if (parent != held_.path()) held_ = root_.walk(parent);
  return held_;
}

FileEnd ServedTree::read(std::uint32_t at, const std::function<void(std::string_view)>& take) try {
  Entry& entry = tree_.entries.list.at(at);
  const bool failed_before = std::exchange(read_failed_, true);
  const auto file =
      parent_of(entry.path).open_file_if_exists(split_path(entry.path).name, O_RDONLY);
  if (!file) return worthless(FileResult::Vanished, "it is gone");
  FileStat before = stat_fd(*file, entry.path);
  for (int tries = 0; is_young(before) && tries < kPatience; ++tries) {
    wait_a_tick();
    before = stat_fd(*file, entry.path);
  }
  if (before.stamp() != tree_.stamps[at])
    return worthless(FileResult::Moved, "it changed since it was listed");
  Hasher hasher;
  buffer_.resize(limits::kBlock);
  while (const auto got = read_some(file->get(), buffer_, entry.path).value_or(0)) {
    hasher.update({buffer_.data(), got});
    take({buffer_.data(), got});
  }
  const Digest digest = hasher.digest();
  if (stat_fd(*file, entry.path).stamp() != before.stamp() ||
      (entry.digest && *entry.digest != digest)) {
    return worthless(FileResult::Moved, "it changed while it was read");
  }
  if (by_contents()) entry.digest = digest;
  read_failed_ = failed_before;
  return {FileResult::Complete, digest, ""};
} catch (const Error& error) {
  if (error.fault() != Fault::Io || error.code() == 0)
    throw;  // of the channel, or of a lack of memory
  if (error.code() == ENOENT || error.code() == ENOTDIR || error.code() == ELOOP ||
      error.code() == ESTALE) {
    return worthless(FileResult::Vanished, errno_text(error.code()));
  }
  unreadable_.push_back({tree_.entries.list.at(at).path, errno_text(error.code())});
  return worthless(FileResult::Unreadable, errno_text(error.code()));
}

}  // namespace xs
