// SPDX-License-Identifier: MIT
// EntriesBuilder: collects entries of other runs of entries into one with tables of its own. The
// sender cuts parts with it, the receiver puts them together again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "protocol/messages.h"

namespace xs {

class EntriesBuilder {
 public:
  // `entry` names its owners by the tables of `from`. Entries must come in their order.
  void add(const Entries& from, Entry entry);
  std::size_t size() const { return made_.list.size(); }
  // What has been added; its tables only grow.
  const Entries& so_far() const { return made_; }
  // Leaves the digest of an entry's contents in their place: they are somewhere else by now.
  void drop_content(std::size_t at);
  // About how many bytes the entries will take on the wire: an upper bound.
  std::size_t weight() const { return weight_; }
  Entries take();

 private:
  using Table = std::map<std::pair<std::string, std::uint32_t>, std::uint32_t>;
  static std::uint32_t number_of(const Principal& principal, Table& table,
                                 std::vector<Principal>& list);

  Entries made_;
  Table users_;
  Table groups_;
  std::size_t weight_ = 0;
};

// `base` without the paths of `gone` and with the entries of `news`, which replace those of the
// same path.
Entries merge_entries(const Entries& base, const std::vector<std::string>& gone,
                      const Entries& news);

}  // namespace xs
