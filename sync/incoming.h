// SPDX-License-Identifier: MIT
// Incoming: the source's tree as it comes from the server, in parts, and again where it moved; and
// the staging that the run will commit. Used by the receiver, one a session. Contents that come
// inside of entries are held while they are few. Beyond that they are staged as they arrive,
// whether or not a plan will want them, so that memory does not grow with them. What is wrong with
// a part, or does not fit, is thrown; what was staged is then removed with this.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/fetch.h"
#include "sync/filter_walk.h"
#include "sync/prepare.h"
#include "sync/staging.h"
#include "sync/takeover.h"

namespace xs {

class Incoming {
 public:
  struct Setting {
    Disk& disk;
    const Dir& root;
    const Entries& local;
    const Options& options;
    const Takeover& takeover;
    const FilterList& filters;  // what they hide nobody may send
    std::size_t max_entries;    // of the source
    std::uint64_t run_id;
    bool looks_only;  // contents are of no use
    std::function<void(const std::vector<Problem>&)> problems;
  };
  // All that it refers to must outlive this.
  Incoming(Channel& channel, Setting setting);
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  // A manifest, of which `first` is the first part. `indexed`: it says how the source differs from
  // the local tree. Like the next, true when every file in it came with its contents.
  bool take_manifest(Message first, bool indexed);
  // What has changed since.
  bool take_changes(Message first);

  const Entries& target() const { return target_; }
  // By which the server knows the entries of the target.
  const std::vector<std::uint32_t>& numbers() const { return numbers_; }

  // Makes the staging, or widens it, so that each of these has a place.
  void reach(const std::vector<std::string>& paths);
  // After reach().
  Staging& staging() { return *staging_; }
  Fetch& fetch() { return *fetch_; }

 private:
  struct Batch;
  class Inlined;
  void check_wish(const Entry& entry);
  void keep(std::size_t bytes);
  void keep(const Entry& entry);
  template <class M>
  Batch collect(Message message);
  void take_gone(const Manifest& part, Batch& batch) const;
  void take_gone(const Changed& part, Batch& batch);
  void merge(const Entries& base, const Batch& batch);
  void nest_if_new(std::string_view dir);

  Channel& channel_;
  const Setting setting_;
  std::optional<FilterWalk> fence_;  // where our rules are all known before the source is
  Entries target_;
  std::vector<std::uint32_t> numbers_;
  std::size_t told_ = 0;            // entries of ours that the server knows by their places
  std::uint32_t received_ = 0;      // entries, and so the next number
  std::uint64_t kept_ = 0;          // bytes of memory, of which a peer may take so many only
  std::size_t problems_ = 0;        // told so far
  std::optional<Staging> staging_;  // once there is something to stage
  std::optional<Fetch> fetch_;
};

// The entry with this path, or nullptr.
const Entry* find_entry(const Entries& entries, std::string_view path);

}  // namespace xs
