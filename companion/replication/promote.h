// SPDX-License-Identifier: MIT
// `replication promote`: makes the standby of this node the primary. Called by
// cli/companion_failover.
//
// It refuses while the old primary may be alive (old_primary.h), or this node still receives from
// it, unless a person has fenced it. A paused replay is resumed first: up to PostgreSQL 12 a paused
// standby never finishes its promotion, and later ones go on only with what has been received, so a
// pause that somebody forgot is made visible. Names in synchronous_standby_names are taken out,
// because every write would wait for standbys that this node does not have. Ends when a write has
// been committed on the new timeline; nothing is left in any table.
// A node that is a primary already is told so, and no failure: a run that was cut short may have
// left it so, and its last steps are taken then.
//
// Failures: Refused (it may be alive), Role (its server is no standby), Io (its server does not
// run), Usage, Locked, Timeout (the request stands, run it again; or a write hangs), Mismatch (one
// fails).
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "companion/replication/cluster.h"

namespace xs {

struct PromoteOrder {
  ClusterChoice cluster;
  ClusterRoots roots;
  std::string primary;  // where the old one was; empty: primary_conninfo
  bool fenced = false;
  bool dry_run = false;
  Duration patience = std::chrono::seconds(10);     // the old primary refuses for so long
  Duration limit = std::chrono::minutes(5);         // for the promotion
  Duration write_limit = std::chrono::seconds(30);  // for the write that proves it
  std::string again;                                // the command that repeats this
};

using SayText = std::function<void(std::string_view)>;

void promote(const PromoteOrder& order, Clock& clock, const SayText& say);

}  // namespace xs
