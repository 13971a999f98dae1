// SPDX-License-Identifier: MIT
// StartLog: what a server has said since we started it, in the logs that we know of. Called by
// `setup standby`, so that a server which does not come to follow tells why in its own words, and
// not in those of another day. A log that cannot be read says nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "companion/replication/cluster.h"

namespace xs {

class StartLog {
 public:
  explicit StartLog(Cluster cluster) : cluster_(std::move(cluster)) {}

  // What stands in the logs now is of another day.
  void begin();
  bool begun() const { return begun_; }
  // ": FATAL: ...", the last complaint since; "": there is none.
  std::string complaint() const;

 private:
  std::vector<std::string> files() const;

  Cluster cluster_;
  bool begun_ = false;
  std::map<std::string, std::uint64_t> sizes_;
};

}  // namespace xs
