// SPDX-License-Identifier: MIT
// A running primary and its configuration files: when it has read them, when it needs a restart,
// and which of our settings somebody else's lines decide. Called by the steps of `setup primary`.
// Failures: Timeout (the server does not read, or does not answer), Mismatch (lines of pg_hba.conf
// that it does not take), Refused (settings that are decided elsewhere).
#pragma once

#include <string>
#include <vector>

#include "companion/replication/plan.h"
#include "companion/replication/primary_steps.h"

namespace xs {

// These files (configuration, certificates) have not changed since the server read its own.
bool has_read(const LocalSql& sql, const std::vector<std::string>& files);
// Throws Refused where a setting is decided by a line that would be stronger than ours. Nothing has
// to be written for it, or restarted.
void check_overruled(const PrimaryWork& work);
// Lets the server read its files and waits until it has.
void load_files(const PrimaryWork& work);
// Throws Refused unless commits wait for these, whatever other files and the command line say.
void check_waits(const PrimaryWork& work, const std::vector<std::string>& standbys);
// postgresql.auto.conf says that commits wait for nobody, as `promote` leaves it.
bool emptied_by_auto_conf(const LocalSql& sql);
// Takes the server back to the files as they were before us.
void fall_back(const PrimaryWork& work);
WorkStep load_step(const PrimaryWork& work);

}  // namespace xs
