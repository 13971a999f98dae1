// SPDX-License-Identifier: MIT
// Sender: the server's session over one channel. Called by xroad-sync-server once the stream
// stands. It answers with the tree below its own root, behind its own excludes, and never writes.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "protocol/channel.h"
#include "sync/filter.h"

namespace xs {

// What a session was about, filled in as it goes: for the server's own log.
struct SessionAccount {
  std::optional<Hello> hello;
  bool unchanged = false;
  std::uint64_t entries = 0;  // that were sent
  std::uint64_t files = 0;    // of which the contents were sent
  std::uint64_t bytes = 0;    // in those files
  std::string reason;         // the true one, where the client is told less
};

struct SenderConfig {
  std::string version;   // for the client's log
  std::string root;      // the one tree that it serves, as the client must name it; empty: none
  FilterList mandatory;  // excludes that no client can lift
  // The options and rules that clients usually come with: with them the scan begins before the
  // hello is here.
  struct Expectation {
    Options options;
    FilterList filters;
  };
  std::optional<Expectation> expected;
  std::string below;  // the directory below the root that is served; empty: all of it
  // Whether the tree may be copied from now; throws what the client is to hear. Asked before the
  // answer, and on both sides of the last look, so that no state is sealed that it would refuse.
  std::function<void()> check = {};
  // Where more than `root` is served: the configuration for the path that the client asks for.
  // Throws Selection for one that is not served.
  std::function<SenderConfig(const std::string& asked)> choose;
  std::size_t max_entries = 10'000'000;  // of one tree; more is an Error of class Memory
  SessionAccount* account = nullptr;
  int rounds = 5;  // how often a source that moves is sent again before it is given up (Vanished)
};

// From the preamble to the client's goodbye. A hello that names no root asks for a talk only
// (`xroad-sync probe`): it is welcomed, its pings are answered. Gives back the client's last words.
// Throws what ended the session early; the client has been told.
std::string serve(Channel& channel, const SenderConfig& config, Clock& clock);

}  // namespace xs
