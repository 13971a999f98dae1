// SPDX-License-Identifier: MIT
// CentralChoice: which Central Servers are asked for the state of their cluster, and how. What the
// command line and [central-server] of companion.ini say; cli/companion_replication_status lays one
// over the other.
#pragma once

#include <string>
#include <vector>

#include "companion/http_get.h"
#include "companion/tls_trust.h"

namespace xs {

inline constexpr std::uint16_t kCentralServerPort = 4000;

struct CentralChoice {
  std::vector<HttpTarget> servers;  // empty: the one of this node
  std::string api_key_file;         // empty: none is asked
  TlsTrust trust;

  // What we do not say, `weaker` says.
  void fill_from(const CentralChoice& weaker);
};

// "cs1.example", "cs1.example:4000", "[::1]:4000", "https://cs1.example:4000/". Throws Usage.
HttpTarget parse_central_server(const std::string& text);

}  // namespace xs
