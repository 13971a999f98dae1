// SPDX-License-Identifier: MIT
// Unified diff of two files, for the verb `diff`. Pure and bounded: what is binary, too long or too
// different to compare within the limits is told to differ, and no more. Show only what mask() has
// been through.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace xs {

struct DiffLimits {
  std::size_t bytes = std::size_t{1} << 20;  // of either side
  std::size_t lines = 20'000;                // of either side
  std::size_t edits = 2'000;                 // inserted and deleted lines
  std::size_t context = 3;
};

// Whether it is no text: a NUL, or bytes that are not UTF-8.
bool is_binary(std::string_view bytes);

// "--- a/NAME", "+++ b/NAME", hunks; names and lines escaped. Empty when both are equal; one line
// "NAME: binary files differ" or "... files differ" when there is nothing to show. `existed` and
// `exists` make a side /dev/null.
struct DiffSide {
  std::string_view bytes;
  bool present = true;
};
std::string unified_diff(std::string_view name, DiffSide before, DiffSide after,
                         const DiffLimits& limits = {});

}  // namespace xs
