// SPDX-License-Identifier: MIT
// ParseLog: a reader of rsync's log file as operators have them, which knows nothing of ours: what
// it makes of our log is what their scripts make of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xs::test {

struct LoggedItem {
  std::string itemize, name;  // unescaped
  std::string link;           // " -> target", " => first"
  bool deleted() const { return itemize == "*deleting"; }
  bool operator==(const LoggedItem&) const = default;
};

struct LoggedRun {
  std::vector<LoggedItem> items;  // in their order
  std::vector<std::string> others;
  std::optional<unsigned long long> sent, received, total_size;
  std::optional<int> failed;  // "(code N)"
};

// Throws std::runtime_error naming the line that is not of such a log.
std::vector<LoggedRun> parse_log(std::string_view text);

// "-i" output without dates.
LoggedItem parse_item(std::string_view line);

}  // namespace xs::test
