// SPDX-License-Identifier: MIT
// Both sides of a session on a socketpair, each in its own thread.
#pragma once

#include <functional>

#include "protocol/channel.h"

namespace xs::test {

// Runs both and waits for both; then rethrows what the client threw, or else what the server threw.
// The server has to greet() by itself.
void converse(const std::function<void(Channel&)>& client,
              const std::function<void(Channel&)>& server, const Deadlines& deadlines = {});

}  // namespace xs::test
