// SPDX-License-Identifier: MIT
#include "cli/value.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "cli/nearest.h"

namespace xs::cli {
namespace {

constexpr std::string_view kSizeUnits = "bkmgtp";  // each 1024 (or 1000) of the one before

[[noreturn]] void refuse(Kind kind, std::string_view range, std::string_view text) {
  std::string hint;
  if (kind == Kind::Choice) hint = suggestion(text, split_words(range, '|'));
  throw Error(Fault::Usage, quote(text) + " is not " + expected(kind, range) + hint);
}

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Bounds {
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

Bounds bounds_of(std::string_view range) {
  Bounds bounds;
  const std::size_t dots = range.find("..");
  if (dots == std::string_view::npos) return bounds;
  if (const auto least = whole(range.substr(0, dots))) bounds.least = *least;
  if (const auto most = whole(range.substr(dots + 2))) bounds.most = *most;
  return bounds;
}

std::optional<bool> parse_flag(std::string_view text) {
  for (const std::string_view yes : {"yes", "true", "on", "1"})
    if (text == yes) return true;
  for (const std::string_view no : {"no", "false", "off", "0"})
    if (text == no) return false;
  return std::nullopt;
}

// Milliseconds.
std::optional<std::int64_t> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t milliseconds;
  };
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  constexpr auto kUnits = std::to_array<Unit>(
      {{"", 1000}, {"s", 1000}, {"ms", 1}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}});
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = whole(text.substr(0, digits));
  if (!count || *count > kMost) return std::nullopt;
  for (const Unit& unit : kUnits)
    if (trim(text.substr(digits)) == unit.name) return *count * unit.milliseconds;
  return std::nullopt;
}

// The factor of a unit such as "", "K", "KB", "KiB"; takes it off the text.
std::optional<double> take_unit(std::string_view& text, char suffix) {
  char letter = suffix;
  if (!text.empty() && text.front() != '+' && text.front() != '-') {
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
    text.remove_prefix(1);
  }
  const std::size_t power = kSizeUnits.find(letter);
  if (power == std::string_view::npos) return std::nullopt;
  double base = 1024;
  if (!text.empty() && (text.front() == 'b' || text.front() == 'B')) {
    base = 1000;
    text.remove_prefix(1);
  } else if (text.size() >= 2 && (text[0] == 'i' || text[0] == 'I') &&
             (text[1] == 'b' || text[1] == 'B')) {
    text.remove_prefix(2);
  }
  return std::pow(base, static_cast<double>(power));
}

void check_path(std::string_view range, std::string_view text, Kind kind) {
  const bool fits = text.find('\0') == std::string_view::npos &&
                    (range != "absolute" || text.empty() || text.front() == '/');
  if (!fits) refuse(kind, range, text);
}

}  // namespace

std::vector<std::string_view> split_words(std::string_view text, char divider) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(divider), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::int64_t parse_size(std::string_view text, char suffix) {
  const std::string_view whole_text = text;
  const std::string range(1, suffix);
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  double number = 0;
  const std::string written(text.substr(0, digits));
  const char* const last = written.data() + digits;
  const auto [end, error] = std::from_chars(written.data(), last, number, std::chars_format::fixed);
  if (digits == 0 || error != std::errc() || end != last) refuse(Kind::Size, range, whole_text);
  text.remove_prefix(digits);
  const auto factor = take_unit(text, suffix);
  double off = 0;
  if (text == "+1") off = 1;
  if (text == "-1") off = -1;
  if (!factor || (!text.empty() && off == 0)) refuse(Kind::Size, range, whole_text);
  const double bytes = std::floor(number * *factor) + off;
  constexpr double kMost = 9.0e18;
  if (bytes < 0 || bytes > kMost) refuse(Kind::Size, range, whole_text);
  return static_cast<std::int64_t>(bytes);
}

std::string expected(Kind kind, std::string_view range) {
  const auto within = [&](const std::string& what) {
    const std::size_t dots = range.find("..");
    if (dots == std::string_view::npos) return what;
    return what + " from " + std::string(range.substr(0, dots)) + " to " +
           std::string(range.substr(dots + 2));
  };
  switch (kind) {
    case Kind::Flag: return "yes or no";
    case Kind::Text: return "a text";
    case Kind::Path: return range == "absolute" ? "an absolute path" : "a path";
    case Kind::Count:
    case Kind::Number: return within("a number");
    case Kind::Duration: return within("a time in seconds, or with ms, s, min, h or d,");
    case Kind::Size: return "a size such as 100, 10K, 1.5MB or 2GiB";
    case Kind::Choice: break;
  }
  std::string out = "one of";
  for (const std::string_view word : split_words(range, '|')) {
    out += (out == "one of" ? " " : ", ") + std::string(word);
  }
  return out;
}

Value parse_value(Kind kind, std::string_view range, std::string_view text) {
  Value value{std::string(text)};
  const auto need = [&](std::optional<std::int64_t> number, std::int64_t unit) {
    const Bounds bounds = bounds_of(range);
    if (!number || (bounds.least > 0 && *number < bounds.least * unit) ||
        (bounds.least <= 0 && *number < bounds.least) ||
        (bounds.most < std::numeric_limits<std::int64_t>::max() && *number > bounds.most * unit))
      refuse(kind, range, text);
    value.number = *number;
  };
  switch (kind) {
    case Kind::Flag: {
      const auto flag = parse_flag(text);
      if (!flag) refuse(kind, range, text);
      value.flag = *flag;
      break;
    }
    case Kind::Count:
    case Kind::Number: need(whole(text), 1); break;
    case Kind::Duration: need(parse_duration(text), 1000); break;
    case Kind::Size: value.number = parse_size(text, range.empty() ? 'b' : range.front()); break;
    case Kind::Choice: {
      const auto words = split_words(range, '|');
      if (std::find(words.begin(), words.end(), text) == words.end()) refuse(kind, range, text);
      break;
    }
    case Kind::Path: check_path(range, text, kind); break;
    case Kind::Text: break;
  }
  return value;
}

}  // namespace xs::cli
