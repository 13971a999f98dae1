// SPDX-License-Identifier: MIT
// TCP connections of the checks: short-lived, to this node or a peer, with a deadline that also
// holds for the look-up of a name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"

namespace xs {

// The numeric addresses of a host, at least one. Throws Network when there are none, and
// ConnectTimeout when the name servers do not answer in time.
std::vector<std::string> look_up(const std::string& host, Clock& clock, Instant deadline);

// Tries one address after the other, each with its share of the time. The socket is non-blocking.
// Throws Network (refused, no route) or ConnectTimeout, with every address and its reason.
Fd tcp_open(const std::string& host, std::uint16_t port, Clock& clock, Instant deadline);

// The share of the time until `deadline` for the next of `left` tries.
Instant share_of(Instant now, Instant deadline, std::size_t left);

}  // namespace xs
