// SPDX-License-Identifier: MIT
#include "tests/support/program.h"

#include <array>
#include <chrono>
#include <stdexcept>

#include "base/clock.h"
#include "protocol/process_stream.h"

namespace xs::test {

Outcome run_program(const std::vector<std::string>& argv) {
  SteadyClock clock;
  ProcessStream program(argv, clock);
  program.close_write();
  const Instant deadline = clock.now() + std::chrono::seconds(120);
  Outcome outcome;
  std::array<char, 4096> piece{};
  while (clock.now() < deadline) {
    const auto got = program.read_some(piece);
    if (!got) {
      program.wait(false, deadline);
    } else if (*got == 0) {
      outcome.end = program.last_words();
      return outcome;
    } else {
      outcome.out.append(piece.data(), *got);
    }
  }
  throw std::runtime_error(argv.at(0) + " does not end");
}

}  // namespace xs::test
