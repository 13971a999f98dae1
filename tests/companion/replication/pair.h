// SPDX-License-Identifier: MIT
// Pair: two nodes with an empty database each, and what an operator would say to make one the
// standby of the other. What the plans print is kept.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "companion/replication/setup_primary.h"
#include "companion/replication/setup_standby.h"
#include "tests/companion/replication/node.h"

namespace xs::test {

class Pair {
 public:
  explicit Pair(Profile profile, Node::Layout primary = Node::Layout::InData,
                Node::Layout standby = Node::Layout::Apart);

  Node primary, standby;
  SteadyClock clock;
  std::string said;
  std::int64_t clock_off = 0;  // of this machine, in seconds

  PrimarySetup primary_setup;
  StandbySetup standby_setup;

  bool setup_primary();
  bool setup_standby();  // with the bundle that setup_primary() has made
  void load_bundle();
  // Says what it would do.
  std::string dry_primary();
  std::string dry_standby();
  Wall wall() {
    return [this] { return wall_now() + clock_off; };
  }
  WorkPlan::Say say() {
    return [this](std::string_view text) { said += text; };
  }
  // Fails unless the standby has what is written on the primary now.
  bool row_arrives(const std::string& row);
};

// Every name below a directory with its mode, owner, times and bytes, for "nothing has changed".
// What a running server writes is left out.
std::map<std::string, std::string> snapshot(const std::string& directory,
                                            const std::vector<std::string>& except);

}  // namespace xs::test
