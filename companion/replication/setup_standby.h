// SPDX-License-Identifier: MIT
// `replication setup standby`: makes the database of this node a copy that follows its primary. The
// copy is taken beside the data directory, checked, made ready, and then put in its place by
// renames; what was there is moved aside and never removed. When the new standby does not come to
// stream, the old data is put back and started again. Also used to bring a node back that has
// fallen behind for good (`reclone`). As with plan_primary(), everything that can be known is
// checked before, and making the plan changes nothing.
// Failures: Usage, Network, Auth (the primary does not let us in), Role, Refused, Mismatch
// (certificates), Unsupported.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "companion/replication/bundle.h"
#include "companion/replication/cluster.h"
#include "companion/replication/plan.h"
#include "companion/wall.h"

namespace xs {

struct StandbySetup {
  ClusterChoice cluster;
  ClusterRoots roots;
  Bundle bundle;  // what the primary, or the operator, says
  std::string pki;
  std::string listen = "localhost";
  bool replace_data = false;  // also databases of a server that is no standby of this primary
  bool reclone = false;       // a new copy, even of a standby that is in place
  Duration copy_limit = std::chrono::hours(6);
  Duration stream_limit = std::chrono::minutes(2);
  // Bytes that are free where this path lies; a test has its own.
  std::function<std::uint64_t(const std::string&)> room;
  std::string again;
};

WorkPlan plan_standby(const StandbySetup& setup, Clock& clock, const Wall& wall);

}  // namespace xs
