// SPDX-License-Identifier: MIT
// tcp_connect: a TCP connection to whichever address of a host answers first. Called by the ssh
// stream, which hands the socket to libssh, because libssh itself tries one address at a time and
// resolves names without a deadline.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/fd.h"

namespace xs {

// A later address gets its turn after this time, or as soon as an earlier one has failed.
inline constexpr std::chrono::milliseconds kConnectStagger{250};

// `family`: AF_UNSPEC, AF_INET or AF_INET6. The socket is non-blocking, with TCP_NODELAY and
// keep-alive set. Throws ConnectTimeout at the deadline, and Network when the name has no address
// or every address refuses; the text lists each address with its reason.
Fd tcp_connect(const std::string& host, std::uint16_t port, int family, Clock& clock,
               Instant deadline);

}  // namespace xs
