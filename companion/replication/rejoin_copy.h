// SPDX-License-Identifier: MIT
// The steps of `rejoin` that replace a node's data by a fresh copy of the new primary's: taken
// beside it, given this node's own configuration and standby.signal, and then put in its place. The
// old data is moved aside and never removed; unlike in `setup standby` it is never put back,
// because it is an old primary's. Called by rejoin.cc.
#pragma once

#include <string>

#include "base/clock.h"
#include "companion/replication/copy_place.h"
#include "companion/replication/plan.h"
#include "companion/replication/rejoin_look.h"
#include "companion/wall.h"

namespace xs {

struct CopyWork {
  const RejoinFacts& facts;
  const RejoinOrder& order;
  const CopyPlace& place;
  Clock& clock;
  const Wall& wall;
};
// Whether it can be taken: room for it, and no tablespaces. Throws Refused and Unsupported.
void check_copy(const RejoinFacts& facts, const CopyPlace& place);
void add_copy_steps(WorkPlan& plan, const CopyWork& work);

// What in the data directory `from` is not PostgreSQL's data, into `to`, in the place of what is
// there of that kind; durable when it returns. With the rights of whoever calls. Throws Io.
void copy_own_entries(const std::string& from, const std::string& to);

}  // namespace xs
