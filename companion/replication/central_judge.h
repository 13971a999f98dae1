// SPDX-License-Identifier: MIT
// What a monitor should think of what Central Servers say, and how people read it. Pure. Called by
// `replication status`. The servers share one database: where they differ about a node, one of them
// looks at another database, or at a clock that is wrong, so that is a finding of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "companion/replication/central_server.h"
#include "companion/replication/judge.h"

namespace xs {

struct CentralVerdict {
  Health health = Health::Ok;
  std::vector<Judgement> findings;  // the worst first; at least one
  std::size_t nodes = 0, nodes_ok = 0;
};

// OK is fine, WARN a warning, ERROR critical; UNKNOWN, a word that we do not know, and a server
// that does not answer are not known.
CentralVerdict judge_central(const CentralReport& report, std::int64_t now);

// A table for each server.
std::string central_text(const CentralReport& report, std::int64_t now);

}  // namespace xs
