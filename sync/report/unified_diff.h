// SPDX-License-Identifier: MIT
// Unified diff of two files, for the verb `diff`. Pure and bounded: what is binary, too long or too
// different to compare within the limits is told to differ, and no more. An operator sees only what
// mask() has been through: masked_diff() in mask.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace xs {

struct DiffLimits {
  std::size_t bytes = std::size_t{1} << 20;  // of either side
  std::size_t lines = 20'000;                // of either side
  std::size_t edits = 1'000;                 // inserted and deleted lines
  std::size_t context = 3;
};

struct DiffSide {
  std::string_view bytes;
  bool present = true;  // otherwise it is /dev/null
  // What is shown of it, line by line: as many lines as it has. Empty: its bytes.
  std::string_view shown = {};
};

// Whether it is no text: a NUL, or bytes that are not UTF-8.
bool is_binary(std::string_view bytes);

// "--- a/NAME", "+++ b/NAME", hunks; names and lines escaped, but for tabs. Empty when both sides
// are equal; one line, "binary files differ: 'NAME'" or "files differ: 'NAME'", when there is
// nothing that can be shown.
std::string unified_diff(std::string_view name, const DiffSide& before, const DiffSide& after,
                         const DiffLimits& limits = {});

}  // namespace xs
