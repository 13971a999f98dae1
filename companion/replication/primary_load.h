// SPDX-License-Identifier: MIT
// A running primary and its configuration files: when it has read them, when it needs a restart,
// and which of our settings somebody else's lines decide. Called by the steps of `setup primary`.
// Failures: Timeout (the server does not read, or does not answer), Mismatch (lines of pg_hba.conf
// that it does not take), Refused (settings that are decided elsewhere).
#pragma once

#include "companion/replication/plan.h"
#include "companion/replication/primary_steps.h"

namespace xs {

// Lets the server read its files and waits until it has.
void load_files(const PrimaryWork& work);
// Takes the server back to the files as they were before us.
void fall_back(const PrimaryWork& work);
WorkStep load_step(const PrimaryWork& work);

}  // namespace xs
