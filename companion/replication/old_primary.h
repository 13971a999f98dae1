// SPDX-License-Identifier: MIT
// OldPrimary: whether the primary that a standby has followed may still be alive, asked before the
// standby is promoted. Two primaries are worse than none: each takes writes that the other never
// sees, and one's are thrown away later.
//
// Only one answer counts as dead: every address of it says itself that nobody listens there
// (connection refused), and goes on saying so for the whole patience, because a machine that has
// just been rebooted says it too, seconds before its server starts. Then the machine is up, no cut
// network lies between, and the server is not running. An address that is this node's own by now (a
// virtual one that has moved here) tells nothing; a loopback one is believed for another port than
// our server's, as of a second server on this machine.
// All others may be alive and are told apart in their own words:
// - it lets us in, or refuses us (pg_hba.conf, password, certificate, "starting up"): it runs;
// - it takes the connection and is silent: a stopped or hung process, a dying disk. It may go on at
//   any moment, with clients that wait in its queue;
// - nothing comes back at all: switched off and cut off from us look the same from here, and a
//   primary that is only cut off from us still has clients on its own side.
// In the last two a person has to look, and says so with --fenced.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "companion/jdbc.h"

namespace xs {

enum class Life : std::uint8_t {
  Writes,       // a primary of our cluster
  Follows,      // a standby by now
  Foreign,      // a server of another cluster
  Refuses,      // something answers, and does not let us in
  Silent,       // it takes the connection and says nothing
  Unreachable,  // no address gives any answer
  Gone,         // every address refuses the connection
};

struct OldPrimary {
  Life life = Life::Unreachable;
  std::string where;   // escaped
  std::string reason;  // of what it says, or why nothing is known
  std::optional<std::uint64_t> position;

  // One sentence for the operator, and what to do.
  std::string words() const;
};

// Our own server.
struct Survivor {
  std::string system;
  std::uint16_t port = 0;
};
// Asks until `until`, at least once. Nothing is thrown for an answer that is missing.
OldPrimary look_at_old_primary(const DbTarget& target, const Survivor& own, Clock& clock,
                               Instant until);

}  // namespace xs
