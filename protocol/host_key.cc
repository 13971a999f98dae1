// SPDX-License-Identifier: MIT
#include "protocol/host_key.h"

#include <algorithm>
#include <array>

#include "protocol/sha256.h"

namespace xs {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string fingerprint(const HostKey& key) {
  const auto digest = sha256(key.blob);
  std::string text = to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  text.erase(text.find_last_not_of('=') + 1);
  return "SHA256:" + text;
}

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t taken = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t three = 0;
    for (std::size_t i = 0; i < 3; ++i)
      three = three << 8 | (i < taken ? static_cast<std::uint8_t>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      out += i <= taken ? kDigits[three >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t digit = at < text.size() - padding ? kDigits.find(text[at]) : 0;
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    if (at % 4 != 3) continue;
    for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift & 0xFF);
    bits = 0;
  }
  out.resize(out.size() - padding);
  if (to_base64(out) != text) return std::nullopt;  // stray bits in the last digit
  return out;
}

std::optional<std::string_view> take_string(std::string_view& blob) {
  constexpr std::size_t kLength = 4;
  if (blob.size() < kLength) return std::nullopt;
  std::size_t length = 0;
  for (const char c : blob.substr(0, kLength)) length = length << 8 | static_cast<unsigned char>(c);
  if (length > blob.size() - kLength) return std::nullopt;
  const std::string_view taken = blob.substr(kLength, length);
  blob.remove_prefix(kLength + length);
  return taken;
}

}  // namespace xs
