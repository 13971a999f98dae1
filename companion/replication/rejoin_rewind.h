// SPDX-License-Identifier: MIT
// The steps of `rejoin` that take back what an old primary wrote and nobody else has: its log is
// brought to its end, and pg_rewind works while the data directory is parked (rewind.h). Called by
// rejoin.cc. What the new primary must have done for that is waited for before anything is changed.
#pragma once

#include "base/clock.h"
#include "companion/replication/plan.h"
#include "companion/replication/rejoin_look.h"

namespace xs {

struct RewindWork {
  const RejoinFacts& facts;
  const RejoinOrder& order;
  const RewindPlace& place;
  Clock& clock;
  const SayText& say;
};

void add_checkpoint_step(WorkPlan& plan, const RewindWork& work);
void add_rewind_steps(WorkPlan& plan, const RewindWork& work);

}  // namespace xs
