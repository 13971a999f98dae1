// SPDX-License-Identifier: MIT
// Every verb of `xroad-companion replication`, each in a file of its own; called by the table in
// companion_replication.cc.
#pragma once

#include "cli/companion_replication.h"

namespace xs::cli {

ReplicationVerb add_replication_pause(CLI::App& group);
ReplicationVerb add_replication_promote(CLI::App& group);
ReplicationVerb add_replication_rejoin(CLI::App& group);
ReplicationVerb add_replication_resume(CLI::App& group);
ReplicationVerb add_replication_setup(CLI::App& group);
ReplicationVerb add_replication_status(CLI::App& group);
ReplicationVerb add_replication_wait(CLI::App& group);

}  // namespace xs::cli
