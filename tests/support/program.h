// SPDX-License-Identifier: MIT
// Our programs, run as a user runs them.
#pragma once

#include <string>
#include <vector>

namespace xs::test {

struct Outcome {
  std::string out;  // standard output
  std::string end;  // the sentence of ProcessStream::last_words(): stderr and exit status
};

// How a program ends that succeeded and said nothing on stderr.
inline constexpr const char* kCleanEnd = "it ended with status 0";

// Without input and without a terminal. A program that takes longer than half a minute is a
// failure.
Outcome run_program(const std::vector<std::string>& argv);

}  // namespace xs::test
