// SPDX-License-Identifier: MIT
// Check: one question about this node, as X-Road's own health check or we ask it. Run by the board
// (board.h) on a thread of its own, never inside a request. A check fails closed: what it cannot
// find out is a failure with the reason.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"

namespace xs {

// What a check found on its way, for metrics and for paths that ask for it: {"lag_bytes", 0}.
struct Measured {
  std::string name;
  double value = 0;
  bool operator==(const Measured&) const = default;
};

// The same in words, for the status: {"generation", "5f0c..."}.
struct Fact {
  std::string name;
  std::string text;
  bool operator==(const Fact&) const = default;
};

struct Verdict {
  bool ok = false;
  std::string message{};  // byte for byte what the health port says; empty when ok
  std::string detail{};   // for people and logs, escaped: the reason behind the message
  std::vector<Measured> measured{};
  std::vector<Fact> facts{};
  bool operator==(const Verdict&) const = default;
};

class Check {
 public:
  virtual ~Check() = default;
  virtual std::string name() const = 0;  // as the messages call it: "Global conf validity"
  virtual std::string word() const = 0;  // for paths and metrics: "global-conf"
  // May block up to `deadline`, on the check's own thread; an Error thrown is a failure.
  virtual Verdict ask(Clock& clock, Instant deadline) = 0;
};

}  // namespace xs
