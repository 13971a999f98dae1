// SPDX-License-Identifier: MIT
// Removals: which local names go because the source does not have them, and which stay although it
// does not. Fed by plan with local entries in their order; pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/messages.h"
#include "sync/plan.h"
#include "sync/plan_compare.h"

namespace xs {

class Removals {
 public:
  Removals(const Entries& local, const PlanRules& rules, const PathSet& untouchable);

  // A name that the source lacks, in the order of the list.
  void add(std::uint32_t index);
  // A directory that is to become something else: goes as a whole, or not at all. When something in
  // it must stay, the answer is its path and nothing is removed.
  const std::string* displace(std::uint32_t dir);
  // After the last name.
  void finish();

  // The end of what the local list has below the directory.
  std::uint32_t end_of(std::uint32_t dir) const;

  const std::vector<std::uint32_t>& files() const { return files_; }  // by path
  const std::vector<std::uint32_t>& dirs() const { return dirs_; }    // children first
  // Those, and what is inside displaced directories; by path once finished.
  const std::vector<std::uint32_t>& gone() const { return gone_; }
  std::vector<Problem>& kept() { return kept_; }

 private:
  struct Level {  // a directory that the source lacks and that holds what comes now
    std::uint32_t index;
    const std::string* holds = nullptr;  // something that stays
  };
  bool is_protected(const Entry& entry, bool deleting) const;
  bool leaves_backup(const Entry& entry) const;
  void close_until(std::string_view path);
  void close();

  const std::vector<Entry>& local_;
  const PlanRules& rules_;
  const PathSet& untouchable_;
  std::vector<Level> open_;
  const std::string* protected_dir_ = nullptr;
  std::vector<std::uint32_t> files_;
  std::vector<std::uint32_t> dirs_;
  std::vector<std::uint32_t> gone_;
  std::vector<Problem> kept_;
};

}  // namespace xs
