// SPDX-License-Identifier: MIT
#include "protocol/wire.h"

#include <algorithm>

#include "base/error.h"

namespace xs::wire {

void malformed(const std::string& what) { throw Error(Fault::Protocol, what); }

void put_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(0x80 | (value & 0x7F));
  out += static_cast<char>(value);
}

void put_bytes(std::string& out, std::string_view bytes) {
  put_number(out, bytes.size());
  out += bytes;
}

void put_fixed32(std::string& out, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xFF);
}

void put_fixed64(std::string& out, std::uint64_t value) {
  put_fixed32(out, static_cast<std::uint32_t>(value));
  put_fixed32(out, static_cast<std::uint32_t>(value >> 32));
}

std::uint8_t Reader::byte() {
  if (rest_.empty()) malformed("it ends too early");
  const auto value = static_cast<std::uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  return value;
}

std::uint64_t Reader::number(std::uint64_t max) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const std::uint8_t next = byte();
    if (shift == 63 && next > 1) malformed("a number has more than 64 bits");
    if (next == 0 && shift > 0) malformed("a number is not in its shortest form");
    value |= static_cast<std::uint64_t>(next & 0x7F) << shift;
    if (next < 0x80) break;
  }
  if (value > max) {
    malformed("the number " + std::to_string(value) + " is over its limit of " +
              std::to_string(max));
  }
  return value;
}

std::size_t Reader::count(std::size_t max) {
  const std::uint64_t value = number();
  if (value > max) {
    malformed("a count of " + std::to_string(value) + " is over its limit of " +
              std::to_string(max));
  }
  if (value > rest_.size())
    malformed("a count of " + std::to_string(value) + " is more than can follow");
  return static_cast<std::size_t>(value);
}

std::string_view Reader::bytes(std::size_t max, std::string_view what) {
  const std::uint64_t length = number();
  if (length > max) {
    malformed("a " + std::string(what) + " of " + std::to_string(length) +
              " bytes is over its limit of " + std::to_string(max));
  }
  return raw(static_cast<std::size_t>(length));
}

std::string_view Reader::raw(std::size_t length) {
  if (length > rest_.size()) malformed("it ends too early");
  const std::string_view taken = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return taken;
}

std::uint32_t Reader::fixed32() {
  std::uint32_t value = 0;
  const std::string_view four = raw(4);
  for (unsigned i = 0; i < 4; ++i)
    value |= std::uint32_t{static_cast<std::uint8_t>(four[i])} << 8 * i;
  return value;
}

std::uint64_t Reader::fixed64() {
  const std::uint64_t low = fixed32();
  return low | std::uint64_t{fixed32()} << 32;
}

void Reader::expect_end() const {
  if (!rest_.empty()) malformed(std::to_string(rest_.size()) + " bytes follow its last field");
}

}  // namespace xs::wire
