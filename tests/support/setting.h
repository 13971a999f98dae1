// SPDX-License-Identifier: MIT
// A number that whoever runs the tests may set in the environment: XS_ROUNDS, XS_SEED and their
// like. Used by the random tests. What is no number counts as 0, never as a failure.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

namespace xs::test {

inline std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Where a random test begins: XS_SEED, or anywhere. The test prints it.
inline unsigned random_seed() {
  return static_cast<unsigned>(setting("XS_SEED", std::random_device{}()));
}

}  // namespace xs::test
