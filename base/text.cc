// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <array>
#include <charconv>
#include <cstdint>

namespace xs {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  // 0: not UTF-8
};

constexpr std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const std::uint8_t lead = byte_at(text, at);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return {};
  std::uint32_t value = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const std::uint8_t next = byte_at(text, at + i);
    if ((next & 0xC0) != 0x80) return {};
    value = value << 6 | (next & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[length] || value > 0x10FFFF || surrogate) return {};
  return {value, length};
}

bool steers_terminal(std::uint32_t value) {
  return value < 0x20 || (value >= 0x7F && value <= 0x9F) ||  // C0, DEL, C1
         value == 0x061C || value == 0x200E || value == 0x200F || value == 0xFEFF ||
         (value >= 0x2028 && value <= 0x202E) || (value >= 0x2066 && value <= 0x2069);
}

bool octal(char c) { return c >= '0' && c <= '7'; }

// A literal "\#ooo" at `at`: the form that escape() itself writes.
bool looks_escaped(std::string_view text, std::size_t at) {
  return at + 4 < text.size() && text[at] == '\\' && text[at + 1] == '#' && text[at + 2] <= '3' &&
         octal(text[at + 2]) && octal(text[at + 3]) && octal(text[at + 4]);
}

void append_octal(std::string& out, std::uint8_t byte) {
  out += "\\#";
  out += static_cast<char>('0' + (byte >> 6));
  out += static_cast<char>('0' + ((byte >> 3) & 7));
  out += static_cast<char>('0' + (byte & 7));
}

}  // namespace

std::string escape(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint point = decode_utf8(bytes, at);
    if (point.length == 0 || looks_escaped(bytes, at)) {
      append_octal(out, byte_at(bytes, at++));
    } else if (steers_terminal(point.value)) {
      for (std::size_t i = 0; i < point.length; ++i) append_octal(out, byte_at(bytes, at + i));
      at += point.length;
    } else {
      out.append(bytes, at, point.length);
      at += point.length;
    }
  }
  return out;
}

// No character of more than one byte holds a backslash.
std::string escape_again(std::string_view line) {
  std::string out;
  while (!line.empty()) {
    const std::size_t end = line.find('\\');
    out += escape(line.substr(0, end));
    if (end == line.npos) break;
    out += '\\';
    line.remove_prefix(end + 1);
  }
  return out;
}

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint point = decode_utf8(bytes, at);
    if (point.length == 0) return false;
    at += point.length;
  }
  return true;
}

std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (looks_escaped(text, at)) {
      out += static_cast<char>((text[at + 2] - '0') << 6 | (text[at + 3] - '0') << 3 |
                               (text[at + 4] - '0'));
      at += 5;
    } else {
      out += text[at++];
    }
  }
  return out;
}

std::string quote(std::string_view bytes) { return "'" + escape(bytes) + "'"; }

std::string excerpt(std::string_view bytes, std::size_t limit) {
  if (bytes.size() <= limit) return escape(bytes);
  return escape(bytes.substr(0, limit)) + "...";
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kDigits[static_cast<std::uint8_t>(c) >> 4];
    out += kDigits[static_cast<std::uint8_t>(c) & 15];
  }
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::optional<unsigned long long> parse_number(std::string_view text) {
  unsigned long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace xs
