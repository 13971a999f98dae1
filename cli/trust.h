// SPDX-License-Identifier: MIT
// `xroad-sync trust`: the only way in which this program writes a known_hosts file. Shows the
// fingerprints of the host's keys, asks, and writes what was agreed to; with --replace, in the
// place of what was known of the host.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "protocol/limits.h"

namespace xs::cli {

struct TrustRequest {
  std::string target;  // HOST, HOST:PORT, [ADDRESS]:PORT
  std::string file = "/etc/xroad-sync/known_hosts";
  std::string fingerprint;  // SHA256:...: this key and no other, without asking
  bool replace = false;
  Deadlines deadlines;
};

struct HostPort {
  std::string host;
  std::uint16_t port = 22;
  bool operator==(const HostPort&) const = default;
};
// Throws Usage.
HostPort parse_host_port(std::string_view text);

// Asks on the terminal; without one, and without a fingerprint, it is an error of class Usage. A
// revoked key is never trusted; a changed one only with `replace`. The file is replaced as a whole,
// durably, or not at all.
void trust(const TrustRequest& request, Clock& clock);

}  // namespace xs::cli
