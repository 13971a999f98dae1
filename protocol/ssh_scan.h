// SPDX-License-Identifier: MIT
// ssh_scan: the host keys that a server shows, one connection a type, each proven by the server's
// signature in a full key exchange; nothing is sent about us. Called by `trust`. What it returns is
// not trusted yet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "protocol/known_hosts.h"
#include "protocol/limits.h"

namespace xs {

// Ed25519 first, then ECDSA, then RSA; at least one. Throws what the last connection failed with.
std::vector<HostKey> scan_host_keys(const std::string& host, std::uint16_t port,
                                    const Deadlines& deadlines, Clock& clock);

}  // namespace xs
