// SPDX-License-Identifier: MIT
// The steps of `setup standby` that take the copy and put it in place. Called by plan_standby(),
// which has checked what can be known before.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "companion/replication/cluster.h"
#include "companion/replication/copy_place.h"
#include "companion/replication/local_sql.h"
#include "companion/replication/plan.h"
#include "companion/replication/profile.h"
#include "companion/wall.h"

namespace xs {

struct StandbyWork {
  LocalSql sql;
  StandbyPlan plan;
  CopyPlace place;
  Wall wall;
  std::string system_id;
  std::string password;
  bool reclone = false;
  Duration copy_limit{}, stream_limit{};
  std::uint32_t timeline = 0;  // of the primary

  // Whose copy it is, beside a data directory.
  std::string mark() const;

  const Cluster& cluster() const { return sql.cluster(); }
  // The data directory is a standby of this primary, and not one that is to be taken anew.
  bool in_place() const;
  // It follows its primary now.
  bool streams() const;
};

void add_standby_steps(WorkPlan& plan, const StandbyWork& work);

}  // namespace xs
