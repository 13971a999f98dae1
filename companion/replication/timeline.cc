// SPDX-License-Identifier: MIT
#include "companion/replication/timeline.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/connection.h"

namespace xs {
namespace {

// With the timeline that it is on, which has no end.
TimelineHistory whole(const Branch& branch) {
  TimelineHistory all = branch.history;
  all.push_back({branch.timeline, std::numeric_limits<std::uint64_t>::max()});
  return all;
}

}  // namespace

TimelineHistory parse_history(std::string_view text) {
  TimelineHistory history;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
    if (line.empty() || line.front() == '#') continue;
    const std::size_t blank = line.find_first_of("\t ");
    const auto number = parse_number(line.substr(0, blank));
    if (blank == std::string_view::npos || !number || *number == 0 ||
        *number > std::numeric_limits<std::uint32_t>::max() ||
        (!history.empty() && *number <= history.back().timeline)) {
      throw Error(Fault::Mismatch, excerpt(line, 60) + " is no line of a timeline's history");
    }
    const std::string_view rest = trim(line.substr(blank));
    const std::string position(rest.substr(0, rest.find_first_of("\t ")));
    history.push_back({static_cast<std::uint32_t>(*number), parse_lsn(position)});
  }
  return history;
}

std::string history_name(std::uint32_t timeline) {
  std::array<char, 9> digits{};
  std::snprintf(digits.data(), digits.size(), "%08X", timeline);
  return std::string(digits.data()) + ".history";
}

std::optional<Fork> find_fork(const Branch& one, const Branch& other) {
  const TimelineHistory a = whole(one);
  const TimelineHistory b = whole(other);
  std::optional<Fork> fork;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i].timeline != b[i].timeline) break;
    fork = Fork{a[i].timeline, std::min(a[i].end, b[i].end)};
    if (a[i].end != b[i].end) break;
  }
  return fork;
}

std::uint64_t begin_of(const Branch& branch, std::uint32_t timeline) {
  std::uint64_t begin = 0;
  for (const TimelineEnd& past : branch.history) {
    if (past.timeline >= timeline) break;
    begin = past.end;
  }
  return begin;
}

std::uint32_t file_timeline(const Branch& branch, std::uint64_t position, std::uint64_t segment) {
  std::uint32_t timeline = 0;
  std::uint64_t begin = 0;
  for (const TimelineEnd& part : whole(branch)) {
    if (begin / segment <= position / segment) timeline = part.timeline;
    begin = part.end;
  }
  return timeline;
}

std::string log_file(const Branch& branch, std::uint64_t position, std::uint64_t segment) {
  const std::uint32_t timeline = file_timeline(branch, position, segment);
  const std::uint64_t number = position / segment;
  const std::uint64_t each = (std::uint64_t{1} << 32U) / segment;
  std::array<char, 25> digits{};
  std::snprintf(digits.data(), digits.size(), "%08X%08X%08X", timeline,
                static_cast<unsigned>(number / each), static_cast<unsigned>(number % each));
  return digits.data();
}

bool leads_to(const Branch& branch, std::uint32_t timeline, std::uint64_t received) {
  return std::any_of(branch.history.begin(), branch.history.end(), [&](const TimelineEnd& one) {
    return one.timeline == timeline && received < one.end;
  });
}

}  // namespace xs
