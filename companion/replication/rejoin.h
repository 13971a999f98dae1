// SPDX-License-Identifier: MIT
// `replication rejoin`: makes the node of an old primary, or of a standby that followed it, a
// standby of the new primary. Called by cli/companion_failover.
//
// An old primary is never started as one: standby.signal is there before its server is stopped, or
// anything is started, and stays; where a program needs it away (pg_rewind), the data directory is
// not in its place. Nothing is changed before all that can be asked has been asked. What this node
// wrote and nobody else has is told, with its positions, and thrown away by pg_rewind; or, where
// that is not possible, the whole data directory is moved aside for a fresh copy, which has to be
// allowed. Transactions that were committed here alone are counted before anything is changed and
// again when the server is stopped, and must have been given up by their number. Killed anywhere,
// it goes on when it is called again.
//
// Failures: Network, ConnectTimeout, Auth (the new primary), Role (it is none), Mismatch (another
// cluster), Refused (clients write here; the other one is older; commits that nobody has given
// up; no rewind and no leave to copy),
// Locked, Timeout (it does not stream in time, or the new primary makes no checkpoint), Usage,
// Action (a program of PostgreSQL failed).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "companion/replication/cluster.h"
#include "companion/replication/promote.h"
#include "companion/wall.h"

namespace xs {

struct RejoinOrder {
  ClusterChoice cluster;
  ClusterRoots roots;
  std::string primary;  // the new one; empty: primary_conninfo of this node
  std::string slot;     // empty: made of the role's name
  bool allow_reclone = false;
  std::uint64_t discard = 0;  // how many transactions of this node alone may be thrown away
  bool dry_run = false;
  Duration patience = std::chrono::seconds(10);     // for the new primary's answers
  Duration work_limit = std::chrono::hours(2);      // for pg_rewind or the copy
  Duration stream_limit = std::chrono::minutes(2);  // from its start until it streams
  // Until a new primary has made its first checkpoint by itself.
  Duration checkpoint_limit = std::chrono::minutes(6);
  std::string again;  // the command that repeats this
};

void rejoin(const RejoinOrder& order, Clock& clock, const Wall& wall, const SayText& say);

}  // namespace xs
