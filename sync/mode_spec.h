// SPDX-License-Identifier: MIT
// ModeSpec: what --chmod makes of the mode of a file or directory. Pure; parsed once a run by the
// transfer policy, with rsync's language: clauses divided by commas, each for directories (D), for
// files (F) or both, symbolic or octal. A malformed one is an Error of class Usage that quotes the
// specification and gives the byte position.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace xs {

class ModeSpec {
 public:
  // `mask`: the umask, which a clause without u, g, o or a respects.
  void add(std::string_view spec, std::uint32_t mask);
  bool empty() const { return clauses_.empty(); }
  // In the order in which they were added.
  std::uint32_t apply(std::uint32_t mode, bool is_dir) const;

 private:
  enum class Sign : std::uint8_t { Add, Remove, Set };
  struct Clause {
    bool dirs = true, files = true;
    Sign sign = Sign::Set;
    std::uint32_t clears = 0;  // Set: the bits that go first
    std::uint32_t bits = 0;
    bool only_where_executable = false;  // X: a file without any x gets none
    char copies = 0;  // 'u', 'g', 'o': `bits` is a mask of what these three bits are spread to
  };
  class Parser;

  std::vector<Clause> clauses_;
};

}  // namespace xs
