// SPDX-License-Identifier: MIT
// UseConfig: from a Config to what the transport and the engine are asked with. Pure, but that the
// run's own values (its number, its callbacks) are left to the caller.
#pragma once

#include "cli/config.h"
#include "protocol/transport.h"
#include "sync/receiver.h"

namespace xs::cli {

// The primary's account. Throws Usage when none is configured.
Endpoint endpoint(const Config& config);
// Port, keys, known hosts and address family become options of the remote shell, behind those that
// -e has, which win; a remote shell that is not ssh is left as it is.
TransportOptions transport_options(const Config& config);
// Everything but the callbacks, run_id and wake.
PullRequest pull_request(const Config& config);

}  // namespace xs::cli
