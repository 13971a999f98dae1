// SPDX-License-Identifier: MIT
// Both sides of a session on a socketpair, each in its own thread.
#pragma once

#include <functional>

#include "protocol/channel.h"
#include "tests/support/faulty_stream.h"

namespace xs::test {

// What went over the client's line.
struct Traffic {
  std::size_t in = 0;
  std::size_t out = 0;
};

// Runs both and waits for both; then rethrows what the client threw, or else what the server threw.
// The server has to greet() by itself.
// `damage` is done to the client's line.
Traffic converse(const std::function<void(Channel&)>& client,
                 const std::function<void(Channel&)>& server, const Deadlines& deadlines = {},
                 const Damage& damage = {});

}  // namespace xs::test
