// SPDX-License-Identifier: MIT
// NodeReport: all that `replication status` has to say, in the three forms in which it says it:
// what the database tells, and on a node of a Central Server what the Central Servers tell. Either
// may be missing, and trouble with one does not take the other away. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "companion/replication/central_judge.h"
#include "companion/replication/judge.h"

namespace xs {

struct DatabaseReport {
  ReplicationStatus status;
  ReplicationVerdict verdict;
};

struct NodeReport {
  std::optional<DatabaseReport> database;
  std::optional<Error> database_trouble;  // instead of it
  std::string no_database;                // why it was not asked; empty: nothing to say about it
  std::optional<CentralReport> central;
  CentralVerdict central_verdict;
  std::int64_t now = 0;  // as the Central Servers are judged

  Health health() const;  // for a monitor: the worst of both
  // Without a monitor: the worst of the Central Servers' nodes, as the database's own standing is
  // no failure of the question.
  int exit_code() const;
  // Nothing was told by anybody, for this one reason.
  const Error* only_trouble() const;
};

std::string report_line(const NodeReport& report, const ReplicationLimits& limits);
std::string report_text(const NodeReport& report);
std::string report_json(const NodeReport& report);

}  // namespace xs
