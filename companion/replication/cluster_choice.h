// SPDX-License-Identifier: MIT
// ClusterChoice: what the command line and [cluster] of companion.ini say about the PostgreSQL
// cluster of this node. Plain values; find_cluster() looks for what is not said.
#pragma once

#include <cstdint>
#include <string>

namespace xs {

// Empty and 0: not said.
struct ClusterChoice {
  std::string name;  // serverconf
  std::string data, config, bin, service, sockets;
  std::uint16_t port = 0;

  // What we do not say, `weaker` says.
  void fill_from(const ClusterChoice& weaker);
  bool operator==(const ClusterChoice&) const = default;
};

}  // namespace xs
