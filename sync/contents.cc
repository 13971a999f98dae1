// SPDX-License-Identifier: MIT
#include "sync/contents.h"

#include <fcntl.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>

#include "base/io.h"
#include "protocol/entries.h"
#include "sync/hash.h"
#include "sync/stand_still.h"

namespace xs {
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;

enum class Outcome { Done, Moved, Gone };

// A name that was a regular file a moment ago and now is not: no error, the tree moves.
bool type_changed(int err) {
  return err == ENOENT || err == ENOTDIR || err == ELOOP || err == EINVAL || err == ENXIO ||
         err == ESTALE;
}

class Reader {
 public:
  Reader(const Dir& root, ScanResult& tree, const ContentRequest& request)
      : root_(root), tree_(tree), request_(request), held_(root.walk("")), buffer_(kReadSize) {}

  void run() {
    for (std::uint32_t at = 0; at < tree_.entries.list.size(); ++at) {
      Entry& entry = tree_.entries.list[at];
      if (entry.type != EntryType::File || (request_.wanted && !request_.wanted(entry))) continue;
      if (!request_.digests && entry.size > request_.inline_limit) continue;
      try {
        note(at, read(entry, tree_.stamps[at]));
      } catch (const Error& error) {
        if (exhausted(error.code()) || error.code() == 0) throw;
        note_failure(at, error);
      }
    }
    if (!dropped_.empty()) drop();
  }

 private:
  void note(std::uint32_t at, Outcome outcome) {
    if (outcome == Outcome::Moved) tree_.moved.push_back(at);
    if (outcome == Outcome::Gone) {
      ++tree_.vanished;
      dropped_.push_back(at);
    }
    if (outcome == Outcome::Done && young_) tree_.young.push_back(at);
  }

  void note_failure(std::uint32_t at, const Error& error) {
    if (type_changed(error.code())) return note(at, Outcome::Gone);
    tree_.problems.push_back(
        {tree_.entries.list[at].path, "cannot be read: " + errno_text(error.code())});
    dropped_.push_back(at);
  }

  // The directory of the entry; entries are sorted, so it is mostly the one of the last call or
  // below it.
  const Dir& parent_of(const Entry& entry) {
    const std::string_view parent = split_path(entry.path).parent;
    const std::string& held = held_.path();
    if (parent == held) return held_;
    const bool below = !held.empty() && parent.size() > held.size() && parent[held.size()] == '/' &&
                       parent.substr(0, held.size()) == held;
    held_ = below ? held_.walk(parent.substr(held.size() + 1)) : root_.walk(parent);
    return held_;
  }

  Outcome read(Entry& entry, std::uint64_t stamp) {
    const auto file = parent_of(entry).open_file_if_exists(split_path(entry.path).name, O_RDONLY);
    if (!file) return Outcome::Gone;
    const std::int64_t start = file_clock();
    Digest digest;
    const bool whole = entry.size <= buffer_.size() ? read_small(*file, entry, digest)
                                                    : read_large(*file, entry, digest);
    // The look before the reading was that of the scan, so this one finds a change since then as
    // well.
    const FileStat after = stat_fd(*file, entry.path);
    if (!whole || after.stamp() != stamp) {
      entry.content.clear();
      entry.inlined = false;
      return Outcome::Moved;
    }
    young_ = after.ctime_ns > start - kFileTick && after.ctime_ns < file_clock() + kFileTick;
    if (request_.digests) entry.digest = digest;
    return Outcome::Done;
  }

  bool read_small(const Fd& file, Entry& entry, Digest& digest) {
    std::size_t have = 0;
    while (have < entry.size) {
      const auto got =
          read_some(file.get(), {buffer_.data() + have, entry.size - have}, entry.path);
      if (got.value_or(0) == 0) return false;
      have += *got;
    }
    const std::string_view bytes(buffer_.data(), have);
    if (request_.digests) digest = digest_of(bytes);
    if (have <= request_.inline_limit) {
      entry.content.assign(bytes);
      entry.inlined = true;
    }
    return true;
  }

  bool read_large(const Fd& file, const Entry& entry, Digest& digest) {
    hasher_.reset();
    for (std::uint64_t left = entry.size; left > 0;) {
      const auto got =
          read_some(file.get(), {buffer_.data(), std::min(left, buffer_.size())}, entry.path);
      if (got.value_or(0) == 0) return false;
      hasher_.update({buffer_.data(), *got});
      left -= *got;
    }
    digest = hasher_.digest();
    return true;
  }

  // A hard link has nothing to repeat when its first path is not in the manifest.
  void drop_orphaned_links() {
    const auto& list = tree_.entries.list;
    std::set<std::string_view> gone;
    for (const std::uint32_t at : dropped_) gone.insert(list[at].path);
    for (std::uint32_t at = 0; at < list.size(); ++at) {
      if (list[at].type != EntryType::Hardlink || gone.count(list[at].content) == 0) continue;
      tree_.problems.push_back({list[at].path, "the file that it links to could not be read"});
      dropped_.push_back(at);
    }
    std::sort(dropped_.begin(), dropped_.end());
  }

  void renumber(std::vector<std::uint32_t>& indexes) const {
    for (std::uint32_t& index : indexes) {
      const auto before = std::lower_bound(dropped_.begin(), dropped_.end(), index);
      index -= static_cast<std::uint32_t>(before - dropped_.begin());
    }
  }

  void drop() {
    drop_orphaned_links();
    auto& list = tree_.entries.list;
    auto next = dropped_.begin();
    std::uint32_t kept = 0;
    for (std::uint32_t at = 0; at < list.size(); ++at) {
      if (next != dropped_.end() && *next == at) {
        ++next;
        continue;
      }
      if (kept != at) list[kept] = std::move(list[at]);
      tree_.stamps[kept++] = tree_.stamps[at];
    }
    list.resize(kept);
    tree_.stamps.resize(kept);
    renumber(tree_.moved);
    renumber(tree_.young);
    renumber_owners(tree_.entries);
  }

  const Dir& root_;
  ScanResult& tree_;
  const ContentRequest& request_;
  Dir held_;
  std::vector<char> buffer_;
  Hasher hasher_;
  std::vector<std::uint32_t> dropped_;
  bool young_ = false;
};

void renumber_table(std::vector<Principal>& table, std::vector<Entry>& list,
                    std::uint32_t Entry::*field) {
  constexpr std::uint32_t kUnseen = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> number(table.size(), kUnseen);
  std::vector<Principal> used;
  for (Entry& entry : list) {
    std::uint32_t& mapped = number.at(entry.*field);
    if (mapped == kUnseen) {
      mapped = static_cast<std::uint32_t>(used.size());
      used.push_back(std::move(table[entry.*field]));
    }
    entry.*field = mapped;
  }
  table = std::move(used);
}

}  // namespace

void read_contents(const Dir& root, ScanResult& tree, const ContentRequest& request) {
  Reader(root, tree, request).run();
}

void renumber_owners(Entries& entries) {
  renumber_table(entries.users, entries.list, &Entry::owner);
  renumber_table(entries.groups, entries.list, &Entry::group);
}

}  // namespace xs
