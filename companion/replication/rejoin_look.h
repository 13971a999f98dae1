// SPDX-License-Identifier: MIT
// What `rejoin` finds out before it changes anything, and what it decides to do. Called by
// rejoin.cc. Throws the refusals that rejoin.h names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "companion/replication/new_primary.h"
#include "companion/replication/rejoin.h"
#include "companion/replication/rewind.h"
#include "companion/replication/server_state.h"
#include "companion/replication/timeline.h"

namespace xs {

enum class Way : std::uint8_t {
  Nothing,  // it follows already
  Follow,   // all that it has is in the new primary's history
  Rewind,
  Copy
};

struct RejoinFacts {
  Cluster cluster;
  ServerState server;
  NewPrimary primary;
  std::string slot;
  Branch own;  // timeline 0: of a broken off pg_rewind, nobody knows
  Fork fork;
  WalTail tail;           // of our own, behind the fork
  std::string rival;      // both were primaries on one timeline, or may have been: why we think so
  bool unseen = false;    // they may: nobody can see
  std::string no_rewind;  // why not, where it were needed
  Way way = Way::Nothing;

  // What is thrown away, for people.
  std::string loss() const;
};

RejoinFacts look_for_rejoin(const RejoinOrder& order, const Cluster& cluster,
                            const RewindPlace& place, Clock& clock);

// Counts again, when the server is stopped: whoever wrote since it was asked is seen here. Throws
// Refused for what has not been given up, or told.
void check_stopped_tail(const RejoinOrder& order, const RejoinFacts& facts, Clock& clock);

// Of one that was started and does not stream, as far as it can be seen now; "" otherwise.
std::string why_no_stream(const RejoinOrder& order, const RejoinFacts& before, Clock& clock);

// The configuration of this node, by its marked lines.
std::string following_conf(const RejoinFacts& facts, const std::string& text);
// What ALTER SYSTEM says against it, taken out.
std::string following_auto_conf(const std::string& text);

}  // namespace xs
