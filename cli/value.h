// SPDX-License-Identifier: MIT
// Value: the text of a setting, from wherever it came, to what it means. Pure. A text that is no
// value of its kind is an Error of class Usage that says what would be one; whoever calls puts the
// place in front.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xs::cli {

enum class Kind : std::uint8_t {
  Flag,      // yes, no
  Count,     // a flag that may be repeated: how many times
  Text,      // anything; empty where the range is "empty"
  Path,      // a file name, absolute where the range is "absolute"
  Number,    // whole, in a range "LEAST..MOST"
  Duration,  // "10", "10s", "500ms", "2min", "1h", in a range of seconds
  Size,      // rsync's sizes; range: the suffix that a bare number has
  Choice,    // one of the range "a|b|c"
};

struct Value {
  std::string text;
  bool flag = false;        // Flag
  std::int64_t number = 0;  // Count, Number; Duration in milliseconds; Size in bytes
};

// `range` as the table of settings has it.
Value parse_value(Kind kind, std::string_view range, std::string_view text);

// What would be a value: "a number from 0 to 100", "one of auto, yes, no".
std::string expected(Kind kind, std::string_view range);

// rsync's sizes: "1.5m", "2KB" (1000), "10KiB", "1g-1"; `suffix` is what a bare number has.
std::int64_t parse_size(std::string_view text, char suffix);

std::vector<std::string_view> split_words(std::string_view text, char divider);

}  // namespace xs::cli
