// SPDX-License-Identifier: MIT
#include "sync/incoming.h"

#include <algorithm>
#include <numeric>
#include <variant>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/entries_builder.h"

namespace xs {
namespace {

constexpr std::size_t kHold = std::size_t{4} << 20;
constexpr std::size_t kStageAtOnce = std::size_t{256} << 10;

// Which numbers the server has for the entries of `merged`, that was made of these two: `news` have
// ascending ones from `first`.
std::vector<std::uint32_t> merge_numbers(const Entries& merged, const Entries& base,
                                         const std::vector<std::uint32_t>& of_base,
                                         const Entries& news, std::uint32_t first) {
  std::vector<std::uint32_t> numbers(merged.list.size(), Fetch::kNoNumber);
  std::size_t old = 0;
  std::size_t fresh = 0;
  for (std::size_t at = 0; at < numbers.size(); ++at) {
    const std::string& path = merged.list[at].path;
    while (old < of_base.size() && path_less(base.list[old].path, path)) ++old;
    const bool is_new = fresh < news.list.size() && news.list[fresh].path == path;
    const bool is_old = old < of_base.size() && base.list[old].path == path;
    if (is_new) {
      numbers[at] = first + static_cast<std::uint32_t>(fresh++);
    } else if (is_old) {
      numbers[at] = of_base[old];
    }
  }
  return numbers;
}

}  // namespace

const Entry* find_entry(const Entries& entries, std::string_view path) {
  const auto at = std::lower_bound(
      entries.list.begin(), entries.list.end(), path,
      [](const Entry& entry, std::string_view wanted) { return path_less(entry.path, wanted); });
  return at != entries.list.end() && at->path == path ? &*at : nullptr;
}

struct Incoming::Batch {
  Entries entries;
  std::uint32_t first = 0;  // the server's number of the first of them
  std::vector<std::string> gone;
  bool complete = false;

  // Each part is sorted; all of them together must be, too.
  void lacks(const std::string& path) {
    if (!gone.empty() && !path_less(gone.back(), path)) {
      throw Error(Fault::Protocol, "paths out of order");
    }
    gone.push_back(path);
  }
};

// Contents of one batch that come inside of its entries.
class Incoming::Inlined {
 public:
  Inlined(Incoming& incoming, EntriesBuilder& entries)
      : incoming_(incoming),
        entries_(entries),
        attributes_(incoming.setting_.disk, entries.so_far(), incoming.setting_.options, 0022,
                    &incoming.setting_.takeover.policy()) {}

  // The entry that was added last.
  void take_last() {
    const std::size_t at = entries_.size() - 1;
    const Entry& entry = entries_.so_far().list[at];
    if (!entry.inlined) return;
    if (incoming_.setting_.looks_only) return entries_.drop_content(at);
    held_.push_back(at);
    bytes_ += entry.content.size();
    if (bytes_ > (staging_ ? kStageAtOnce : kHold)) stage();
  }

 private:
  const Entry& entry(std::size_t at) const { return entries_.so_far().list[at]; }

  void stage() {
    staging_ = true;
    std::vector<std::string> paths;
    paths.reserve(held_.size());
    for (const std::size_t at : held_) paths.push_back(entry(at).path);
    incoming_.reach(paths);
    SpaceNeeded needed;
    for (const std::size_t at : held_) {
      needed.add_file(incoming_.staging_->areas().root_of(entry(at).path), entry(at).size);
    }
    needed.check(incoming_.setting_.disk);
    for (const std::size_t at : held_) {
      incoming_.nest_if_new(split_path(entry(at).path).parent);
      incoming_.fetch_->stage_early(entry(at), attributes_);
      entries_.drop_content(at);
    }
    held_.clear();
    bytes_ = 0;
  }

  Incoming& incoming_;
  EntriesBuilder& entries_;
  FinalAttributes attributes_;
  std::vector<std::size_t> held_;
  std::size_t bytes_ = 0;
  bool staging_ = false;
};

Incoming::Incoming(Channel& channel, Setting setting)
    : channel_(channel), setting_(std::move(setting)) {
  if (setting_.filters.has_dir_merge()) return;
  FilterWalk::Config config;
  config.receiver = false;
  fence_.emplace(setting_.filters, config);
}

// What a peer may not ask us to make, beyond what the codec has checked: among it whatever our own
// rules hide. Directories above an entry have passed here themselves.
void Incoming::check_wish(const Entry& entry) {
  setting_.takeover.check(entry);
  if (entry.path.empty() || !fence_) return;
  if (!fence_->hidden(entry.path, entry.type == EntryType::Dir)) return;
  throw Error(Fault::Protocol,
              "the server sends " + quote(entry.path) + ", which our rules exclude");
}

// A peer can make a frame of a few bytes swell, so what counts is what it becomes. Never given
// back: what was replaced was paid for as well.
void Incoming::keep(std::size_t bytes) {
  constexpr std::uint64_t kForEach = limits::kKept / 1'000'000;
  const std::uint64_t most =
      std::max<std::uint64_t>(limits::kKept, kForEach * setting_.max_entries);
  kept_ += bytes;
  if (kept_ <= most) return;
  throw Error(Fault::Refused, "the names and attributes of the source take more than " +
                                  std::to_string(most >> 20) + " MiB: nothing was changed");
}

void Incoming::keep(const Entry& entry) {
  std::size_t bytes = entry.path.size();
  if (entry.type != EntryType::File) bytes += entry.content.size();
  for (const Xattr& one : entry.xattrs) bytes += sizeof one + one.name.size() + one.value.size();
  keep(bytes);
}

template <class M>
Incoming::Batch Incoming::collect(Message message) {
  Batch batch;
  batch.first = received_;
  EntriesBuilder entries;
  Inlined inlined(*this, entries);
  for (;;) {
    auto* part = std::get_if<M>(&message);
    if (part == nullptr) throw Error(Fault::Protocol, "a list of entries breaks off");
    for (Entry& entry : part->entries.list) {
      if (entries.size() >= setting_.max_entries) {
        throw Error(Fault::Refused, "the source has more than " +
                                        std::to_string(setting_.max_entries) + " entries");
      }
      const bool in_order =
          entries.size() == 0 || path_less(entries.so_far().list.back().path, entry.path);
      if (!in_order) throw Error(Fault::Protocol, "entries out of order");
      check_wish(entry);
      keep(entry);
      if (fetch_) fetch_->forget(entry.path);
      ++received_;
      entries.add(part->entries, std::move(entry));
      inlined.take_last();
    }
    const Entries& all = entries.so_far();
    if (std::max(all.users.size(), all.groups.size()) > limits::kOwners) {
      throw Error(Fault::Refused, "the files of the source have more than " +
                                      std::to_string(limits::kOwners) + " owners");
    }
    take_gone(*part, batch);
    problems_ += part->problems.size();
    if (problems_ > limits::kAllProblems) {
      throw Error(Fault::Refused, "the server has more than " +
                                      std::to_string(limits::kAllProblems) + " problems to tell");
    }
    setting_.problems(part->problems);
    if (part->part != Part::More) {
      batch.complete = part->part == Part::Complete;
      batch.entries = entries.take();
      return batch;
    }
    message = channel_.receive();
  }
}

// What has another content by now is named here and comes as a new entry as well.
void Incoming::take_gone(const Manifest& part, Batch& batch) const {
  for (const std::uint32_t place : part.gone) {
    if (place >= told_) {
      throw Error(Fault::Protocol, "the server lacks entry " + std::to_string(place) +
                                       ", of which it was never told");
    }
    batch.lacks(setting_.local.list[place].path);
  }
}

void Incoming::take_gone(const Changed& part, Batch& batch) {
  for (const std::string& path : part.gone) {
    if (fetch_) fetch_->forget(path);
    keep(sizeof(std::string) + path.size());
    batch.lacks(path);
  }
}

bool Incoming::take_manifest(Message first, bool indexed) {
  told_ = indexed ? setting_.local.list.size() : 0;
  Batch batch = collect<Manifest>(std::move(first));
  if (indexed) {
    merge(setting_.local, batch);
  } else {
    numbers_.resize(batch.entries.list.size());
    std::iota(numbers_.begin(), numbers_.end(), batch.first);
    target_ = std::move(batch.entries);
  }
  return batch.complete;
}

bool Incoming::take_changes(Message first) {
  const Batch batch = collect<Changed>(std::move(first));
  merge(target_, batch);
  return batch.complete;
}

// The tree that `base` becomes with what came.
void Incoming::merge(const Entries& base, const Batch& batch) {
  Entries merged = merge_entries(base, batch.gone, batch.entries);
  if (merged.list.size() > setting_.max_entries) {
    throw Error(Fault::Refused,
                "the source has more than " + std::to_string(setting_.max_entries) + " entries");
  }
  numbers_ = merge_numbers(merged, base, numbers_, batch.entries, batch.first);
  target_ = std::move(merged);
}

void Incoming::reach(const std::vector<std::string>& paths) {
  const Areas areas = Areas::find(setting_.disk, paths);
  if (staging_) {
    staging_->widen(areas);
  } else {
    staging_.emplace(setting_.disk, areas, setting_.run_id);
    fetch_.emplace(channel_, *staging_, setting_.root);
  }
}

// A directory that the plan will most likely make, and those above it that it will make, too.
void Incoming::nest_if_new(std::string_view dir) {
  std::vector<std::string_view> fresh;
  for (; !dir.empty() && staging_->nest_of(dir) == nullptr; dir = split_path(dir).parent) {
    const Entry* local = find_entry(setting_.local, dir);
    if (local != nullptr && local->type == EntryType::Dir) break;
    fresh.push_back(dir);
  }
  for (; !fresh.empty(); fresh.pop_back()) staging_->nest(std::string(fresh.back()));
}

}  // namespace xs
