// SPDX-License-Identifier: MIT
#include "companion/wall.h"

#include <array>
#include <ctime>

#include "base/text.h"

namespace xs {
namespace {

// Takes digits off the front.
std::optional<int> take(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  const auto number = parse_number(text.substr(0, digits));
  if (!number) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<int>(*number);
}

bool skip(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (skip(text, 'Z')) return 0;
  const bool west = !text.empty() && text.front() == '-';
  if (!skip(text, '+') && !skip(text, '-')) return std::nullopt;
  const auto hours = take(text, 2);
  if (!hours || !skip(text, ':')) return std::nullopt;
  const auto minutes = take(text, 2);
  if (!minutes || *hours > 18 || *minutes > 59) return std::nullopt;
  const std::int64_t seconds = (std::int64_t{*hours} * 60 + *minutes) * 60;
  return west ? -seconds : seconds;
}

// The seconds, and a fraction that is dropped. Java writes neither where they are zero.
std::optional<int> take_seconds(std::string_view& text) {
  if (!skip(text, ':')) return 0;
  const auto seconds = take(text, 2);
  if (!seconds || !skip(text, '.')) return seconds;
  const std::size_t end = text.find_first_not_of("0123456789");
  if (end == 0 || end == text.npos) return std::nullopt;
  text.remove_prefix(end);
  return seconds;
}

}  // namespace

std::int64_t wall_now() { return std::time(nullptr); }

std::string utc_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  std::array<char, 40> out{};
  if (::gmtime_r(&time, &parts) == nullptr) return std::to_string(seconds);
  const std::size_t size = std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {out.data(), size};
}

std::optional<std::int64_t> parse_utc(std::string_view text) {
  const auto year = take(text, 4);
  if (!year || !skip(text, '-')) return std::nullopt;
  const auto month = take(text, 2);
  if (!month || !skip(text, '-')) return std::nullopt;
  const auto day = take(text, 2);
  if (!day || !skip(text, 'T')) return std::nullopt;
  const auto hour = take(text, 2);
  if (!hour || !skip(text, ':')) return std::nullopt;
  const auto minute = take(text, 2);
  if (!minute) return std::nullopt;
  const auto second = take_seconds(text);
  if (!second) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  std::tm parts{};
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  parts.tm_hour = *hour;
  parts.tm_min = *minute;
  parts.tm_sec = *second;
  const std::time_t time = ::timegm(&parts);
  // timegm() carries what does not exist (31 April, 25:00) over into something that does.
  if (parts.tm_mon != *month - 1 || parts.tm_mday != *day || parts.tm_hour != *hour ||
      parts.tm_min != *minute || parts.tm_sec != *second) {
    return std::nullopt;
  }
  return time - *offset;
}

std::optional<std::int64_t> parse_http_date(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&parts);
}

std::string span_text(std::int64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7'200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3'600) + " h";
  return std::to_string(seconds / 86'400) + " days";
}

}  // namespace xs
