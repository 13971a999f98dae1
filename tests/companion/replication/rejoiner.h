// SPDX-License-Identifier: MIT
// What the tests of rejoin share: a pair whose primary was killed and whose standby was promoted,
// the run of rejoin on the old primary, and what must be true of it then.
#pragma once

#include <string>

#include "companion/replication/rejoin.h"
#include "tests/companion/replication/failover_pair.h"

namespace xs::test {

// On this node, towards `primary`; it may throw away as much as diverge() makes.
RejoinOrder rejoin_order(const Node& node, const std::string& primary);
// What it says.
std::string rejoined(const RejoinOrder& order);
void check_refused(const RejoinOrder& order, int code, const std::string& reason);

void promote_node(const Node& node);

// Rows 1..10 on both, 11..15 on the old primary alone, which is killed; then the standby is the
// primary, and has 21.
void diverge(const FailoverPair& pair);

// What marks a node's configuration, and: it follows, has what the new primary has and nothing
// else, and is configured as it was.
void mark(const FailoverPair& pair);
void check_follows(const FailoverPair& pair);

// Name, size and time of everything below.
std::string picture(const std::string& directory);

}  // namespace xs::test
