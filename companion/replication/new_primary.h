// SPDX-License-Identifier: MIT
// NewPrimary: the server that a node is to follow after a fail-over, as that node reaches it over
// the network, and what it needs there: its identity, its history, a slot, the rights for
// pg_rewind. Called by rejoin. All that fails in reaching it is Network, ConnectTimeout or Auth,
// and names it; a server that is no primary is Role.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "companion/jdbc.h"
#include "companion/replication/cluster.h"
#include "companion/replication/timeline.h"

namespace xs {

// Where it is: `words` (as --primary) over what this node's configuration knows. Silent about TLS
// means verify-full with this node's own certificate and CA; about the user, the certificate's
// name. Throws Usage.
DbTarget new_primary_target(const std::string& words, const Cluster& cluster, Clock& clock);

// What pg_rewind calls at the new primary; setup primary lets the standbys' roles.
const std::vector<std::string>& rewind_functions();

// For primary_conninfo and for the programs; without the password. `database`: "" for none.
std::string conninfo_text(const DbTarget& target, const std::string& database = "");

struct NewPrimary {
  DbTarget target;
  std::string where;  // escaped
  std::string system;
  Branch branch;
  std::uint64_t position = 0;
  std::string no_rewind;  // why pg_rewind cannot log in, read there or be used; empty: it can
  bool may_read = false;  // log in and read files, as pg_rewind does
};
// With the file rights that the certificates need: while an AsOwner lives.
NewPrimary look_at_new_primary(const DbTarget& target, Clock& clock, Instant deadline);

// The timeline of its last checkpoint, which pg_rewind goes by: older than the one that it is on
// until it has made the first after its promotion.
std::uint32_t checkpoint_timeline(const DbTarget& target, Clock& clock, Instant deadline);

// Physical, and keeping WAL from now on. One that is there and keeps none is made anew; Refused
// when another node uses it.
bool has_slot(const DbTarget& target, const std::string& slot, Clock& clock, Instant deadline);
void make_slot(const DbTarget& target, const std::string& slot, Clock& clock, Instant deadline);

}  // namespace xs
