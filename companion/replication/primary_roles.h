// SPDX-License-Identifier: MIT
// The roles of `setup primary` and their slots: the group that all standbys are in, and for each
// standby a role that may replicate and a slot that keeps its log. Called by plan_primary() and
// add_database_steps().
#pragma once

#include <string>
#include <vector>

#include "companion/replication/plan.h"
#include "companion/replication/primary_steps.h"

namespace xs {

// `groups`: the group, and the one that an earlier run has put in place (""). Throws Refused for
// roles of these names that are somebody else's: they would lose their password, and be shut out by
// our lines of pg_hba.conf. Throws Usage for two standbys whose slots would have one name.
void check_roles(const LocalSql& sql, const std::vector<std::string>& standbys,
                 const std::vector<std::string>& groups);

WorkStep group_step(const PrimaryWork& work);
// What pg_rewind calls at a new primary. It is no more than a base backup, which the roles of the
// group may take, shows them anyway.
WorkStep rewind_step(const PrimaryWork& work);
// One statement, so that a role is never there with half of its rights.
WorkStep role_step(const PrimaryWork& work, const std::string& name);
// Its log is kept from the first connection of its standby on, at most to the limit. One that has
// been over the limit is of no use any more.
WorkStep slot_step(const PrimaryWork& work, const std::string& name);

}  // namespace xs
