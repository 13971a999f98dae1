// SPDX-License-Identifier: MIT
#include "cli/connect.h"

#include "tests/support/catch.h"

using namespace xs;
using namespace xs::cli;
using namespace std::chrono_literals;

TEST_CASE("connect: while the node boots every step to the first answer is short", "[cli]") {
  Config config;
  config.retry.boot_delay = 2s;
  config.deadlines.login = 30s;
  config.deadlines.connect = 1s;
  const Deadlines booting = run_deadlines(config, true);
  CHECK(booting.connect == 1s);
  CHECK(booting.login == 2s);
  CHECK(booting.first_byte == 2s);
  CHECK(booting.idle == config.deadlines.idle);
  const Deadlines later = run_deadlines(config, false);
  CHECK(later.login == 30s);
  CHECK(later.first_byte == config.deadlines.first_byte);
}
