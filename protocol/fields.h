// SPDX-License-Identifier: MIT
// The words in which messages.h lists its fields: flag sets, and bounds on everything that has a
// length. A bound wraps a reference to the field, so encoding (const) and decoding share one list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace xs {

// The last valid enumerator of an enum on the wire; values run from 0. Specialised beside the enum.
template <class E>
inline constexpr E kLast = E{};

// The bits of a flag set that may be set on the wire.
template <class E>
inline constexpr std::uint32_t kKnown = 0;

template <class E>
class Flags {
 public:
  constexpr Flags() = default;
  constexpr Flags(std::initializer_list<E> set) {
    for (const E flag : set) bits_ |= static_cast<std::uint32_t>(flag);
  }
  static constexpr Flags from_bits(std::uint32_t bits) {
    Flags made;
    made.bits_ = bits;
    return made;
  }
  constexpr std::uint32_t bits() const { return bits_; }
  constexpr bool has(E flag) const { return (bits_ & static_cast<std::uint32_t>(flag)) != 0; }
  constexpr Flags operator&(Flags other) const { return from_bits(bits_ & other.bits_); }
  constexpr Flags operator|(Flags other) const { return from_bits(bits_ | other.bits_); }
  constexpr Flags without(Flags other) const { return from_bits(bits_ & ~other.bits_); }
  constexpr bool operator==(const Flags&) const = default;

 private:
  std::uint32_t bits_ = 0;
};

// Bytes of any kind, at most N.
template <std::size_t N, class S>
struct BlobOf {
  static constexpr std::size_t kMax = N;
  S& value;
};
template <std::size_t N, class S>
constexpr BlobOf<N, S> Blob(S& value) {
  return {value};
}

// Words for people, at most limits::kText bytes, without NUL.
template <class S>
struct Text {
  S& value;
};
template <class S>
Text(S&) -> Text<S>;

// A path below the root: components that are not empty, "." or "..", without NUL, within the
// limits.
template <class S>
struct Path {
  S& value;
};
template <class S>
Path(S&) -> Path<S>;

// Paths in strictly ascending order (path_less of entries.h).
template <class V>
struct Paths {
  V& value;
};
template <class V>
Paths(V&) -> Paths<V>;

// A whole number from 0 to N.
template <std::size_t N, class I>
struct AtMostOf {
  static constexpr std::size_t kMax = N;
  I& value;
};
template <std::size_t N, class I>
constexpr AtMostOf<N, I> AtMost(I& value) {
  return {value};
}

// At most N numbers of eight bytes each.
template <std::size_t N, class V>
struct Fixed64sOf {
  static constexpr std::size_t kMax = N;
  V& value;
};
template <std::size_t N, class V>
constexpr Fixed64sOf<N, V> Fixed64s(V& value) {
  return {value};
}

// At most N whole numbers in strictly ascending order.
template <std::size_t N, class V>
struct AscendingOf {
  static constexpr std::size_t kMax = N;
  V& value;
};
template <std::size_t N, class V>
constexpr AscendingOf<N, V> Ascending(V& value) {
  return {value};
}

// At most N items; Items for structs with fields, List for strings of at most M bytes each.
template <std::size_t N, class V>
struct ItemsOf {
  static constexpr std::size_t kMax = N;
  V& value;
};
template <std::size_t N, class V>
constexpr ItemsOf<N, V> Items(V& value) {
  return {value};
}
template <std::size_t N, std::size_t M, class V>
struct ListOf {
  static constexpr std::size_t kMax = N;
  static constexpr std::size_t kItemMax = M;
  V& value;
};
template <std::size_t N, std::size_t M, class V>
constexpr ListOf<N, M, V> List(V& value) {
  return {value};
}

}  // namespace xs
