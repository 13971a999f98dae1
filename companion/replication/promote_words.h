// SPDX-License-Identifier: MIT
// What `promote` tells people: before it, how far this standby is and what will be lost; after it,
// what is left to do on the nodes. Called by promote.cc. Nothing is asked of a server.
#pragma once

#include <cstdint>
#include <string>

#include "companion/replication/node_pki.h"
#include "companion/replication/old_primary.h"
#include "companion/replication/profile.h"
#include "companion/replication/server_state.h"

namespace xs {

std::string lag_words(const ServerState& state, const OldPrimary& old);

struct Promoted {
  std::uint32_t timeline = 0;
  std::string since;        // ", since 0/3000148"
  std::string old_primary;  // escaped; empty: not known
  std::uint16_t port = 0;
  bool emptied = false;  // synchronous_standby_names has been
  CertNames own;         // of this node's certificate, where it has one with a CA
  PkiPaths given;        // what `setup primary` must be told; empty: it can make certificates
};
std::string next_words(const Promoted& promoted);

}  // namespace xs
