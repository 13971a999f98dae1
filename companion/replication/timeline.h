// SPDX-License-Identifier: MIT
// Timelines: each promotion begins one, and a history file says where it left the one before. Here
// it is found out where two copies of a cluster went separate ways, and which file of the log holds
// what. Pure; called by promote and rejoin. Text that is no history is an Error of class Mismatch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xs {

struct TimelineEnd {
  std::uint32_t timeline = 0;
  std::uint64_t end = 0;  // where the next one begins
  bool operator==(const TimelineEnd&) const = default;
};
using TimelineHistory = std::vector<TimelineEnd>;  // the oldest first, without the last timeline

TimelineHistory parse_history(std::string_view text);

// "00000002.history"
std::string history_name(std::uint32_t timeline);

struct Branch {
  std::uint32_t timeline = 0;
  TimelineHistory history;
};

// The last position that both have, and on which timeline; nothing when they share none.
struct Fork {
  std::uint32_t timeline = 0;
  std::uint64_t at = 0;  // the largest number when one goes on where the other is
  bool operator==(const Fork&) const = default;
};
std::optional<Fork> find_fork(const Branch& one, const Branch& other);

// Where a timeline of the branch begins: 0 for its first one.
std::uint64_t begin_of(const Branch& branch, std::uint32_t timeline);

// Of the file of the log that a server on this branch reads for a position, the timeline and the
// name ("000000020000000000000003"): where a timeline ends within a file, that file is of the next
// one, which has begun with a copy of it.
std::uint32_t file_timeline(const Branch& branch, std::uint64_t position, std::uint64_t segment);
std::string log_file(const Branch& branch, std::uint64_t position, std::uint64_t segment);

// Whether who has received so much of a timeline has still to come to where `branch` leaves it.
bool leads_to(const Branch& branch, std::uint32_t timeline, std::uint64_t received);

}  // namespace xs
