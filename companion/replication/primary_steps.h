// SPDX-License-Identifier: MIT
// The steps of `setup primary` that concern the server: its configuration, the roles, the slots,
// and, last and only when a standby is there, waiting for it. Called by plan_primary().
#pragma once

#include <string>
#include <vector>

#include "companion/replication/local_sql.h"
#include "companion/replication/plan.h"
#include "companion/replication/profile.h"

namespace xs {

struct PrimaryWork {
  LocalSql sql;
  PrimaryPlan plan;  // its `synchronous`: whom commits wait for already
  std::vector<std::string> standbys;
  std::vector<std::string> drop;  // commits wait for these no longer
  std::string password;           // "": roles have none
};

// Reads what is there; throws Io for a configuration that cannot be changed.
void add_database_steps(WorkPlan& plan, const PrimaryWork& work);

// A file that is to be the same as another one, which may not be there yet.
WorkStep copy_step(const std::string& from, const std::string& to, unsigned mode,
                   const Cluster& cluster);

}  // namespace xs
