// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "cli/pause.h"
#include "tests/support/catch.h"

using namespace xs;
using namespace xs::cli;

TEST_CASE("pause: a span is taken as the help writes it, and as people do", "[cli]") {
  constexpr WallSeconds kNow = 1'700'000'000;
  for (const char* text : {"90m", "90min", "in 90min", "in 90m", "5400s"}) {
    INFO(text);
    CHECK(parse_until(text, kNow) == kNow + 5400);
  }
  CHECK(parse_until("in 2h", kNow) == kNow + 7200);
  CHECK(parse_until("1d", kNow) == kNow + 86400);
  for (const char* text : {"", "in", "in ", "min", "90", "90mins", "inn 5m", "0min", "-5m"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_until(text, kNow), Error);
  }
}
