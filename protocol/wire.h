// SPDX-License-Identifier: MIT
// The primitives of the wire: whole numbers as minimal LEB128, lengths before bytes, and a Reader
// that can neither run past its input nor be made to allocate more than its input could hold. Every
// refusal is an Error of class Protocol; decode() puts the message's name in front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace xs::wire {

[[noreturn]] void malformed(const std::string& what);

void put_number(std::string& out, std::uint64_t value);
void put_bytes(std::string& out, std::string_view bytes);
// Small negative and positive numbers both become small whole numbers.
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

class Reader {
 public:
  explicit Reader(std::string_view input) : rest_(input) {}

  std::uint8_t byte();
  // At most `max`; the shortest encoding is the only one.
  std::uint64_t number(std::uint64_t max = std::numeric_limits<std::uint64_t>::max());
  // A count of items of which each takes at least one byte: never more than the input can hold.
  std::size_t count(std::size_t max);
  // A length of at most `max` and that many bytes. `what` names the field in the refusal.
  std::string_view bytes(std::size_t max, std::string_view what);
  std::string_view raw(std::size_t length);
  std::uint32_t fixed32();
  std::uint64_t fixed64();

  std::size_t left() const { return rest_.size(); }
  void expect_end() const;

 private:
  std::string_view rest_;
};

// Little-endian.
void put_fixed32(std::string& out, std::uint32_t value);
void put_fixed64(std::string& out, std::uint64_t value);

}  // namespace xs::wire
