// SPDX-License-Identifier: MIT
// Connect: the way to the primary, as the configuration describes it, with the patience that a
// timer's run needs: an sshd under load that drops a new connection is asked again, after a pause
// that doubles and is not the same on every node, and never beyond the run's own end. Called by the
// verbs that talk to the primary.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "cli/config.h"
#include "protocol/stream.h"

namespace xs::cli {

// Whether another attempt may help: the primary is not there, or turned us away before it knew us.
bool worth_a_retry(Fault fault);

// The moment at which attempts end. While the node boots, services wait for us: then it is early.
Instant last_attempt(const RetryConfig& retry, Instant start, Instant run_end, bool booting);
// The deadlines of a run. While the node boots, each step to the primary's first byte is short.
Deadlines run_deadlines(const Config& config, bool booting);
// systemd started us, and the node came up a moment ago.
bool is_booting();

// `chance`: a number from 0 to 1, new at every call.
std::unique_ptr<Stream> connect(const Config& config, Clock& clock, Instant run_end,
                                const std::function<double()>& chance);

}  // namespace xs::cli
