// SPDX-License-Identifier: MIT
// What a person has to do after a promotion, which no program can. Said by promote.cc.
#pragma once

#include <cstdint>
#include <string>

namespace xs {

struct NextSteps {
  std::string host;  // this node; empty: not known
  std::string old;   // where the old primary was; empty: not known
  std::uint16_t port = 0;
  bool names_emptied = false;  // synchronous_standby_names, so that no write hangs
};

std::string next_steps(const NextSteps& next);

}  // namespace xs
