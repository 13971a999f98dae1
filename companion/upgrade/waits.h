// SPDX-License-Identifier: MIT
// What the upgrade of a node waits for: the health port, the checks, a sync that is at work. Called
// by its steps. Each returns when it is so and throws at the deadline what it saw last.
#pragma once

#include <functional>
#include <string>

#include "companion/admin_client.h"
#include "companion/upgrade/sync_program.h"

namespace xs {

struct UpgradeWait {
  Clock& clock;
  Instant end;
  std::function<void(const std::string&)> tell;  // every few seconds, what is still missing
};

// A companion that is just being restarted: it may be asked again.
bool may_come_back(const Error& error);

void wait_for_health(const AdminClient& companion, const UpgradeWait& wait, int status);
// Every check, asked anew.
void wait_for_checks(const AdminClient& companion, const UpgradeWait& wait);
// Locked: a run has not ended.
void wait_for_sync_end(const SyncProgram& sync, const UpgradeWait& wait);
// As it is now; asked again for a while when the companion does not answer.
MaintenanceState patient_maintenance(const AdminClient& companion, const UpgradeWait& wait);

}  // namespace xs
