// SPDX-License-Identifier: MIT
// A number that whoever runs the tests may set in the environment: XS_ROUNDS, XS_SEED and their
// like. Used by the random tests. What is no number counts as 0, never as a failure.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace xs::test {

inline std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace xs::test
