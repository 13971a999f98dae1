// SPDX-License-Identifier: MIT
// The doctor on the serverconf database: db.properties and who may read it, an instance of its own,
// whether it lets us in and has the role of this node, replication's keys (guide 3.2 steps 3 and 4,
// 3.3 steps 3 and 4, 4).
#pragma once

#include <optional>

#include "companion/doctor/subject.h"
#include "companion/jdbc.h"

namespace xs {

// What the server says of itself.
struct DatabaseFacts {
  bool in_recovery = false;
  bool receives = false;  // from a primary
  std::string wal_level, max_wal_senders, ssl, listen_addresses;
};

// Pure: are these the settings and the role that a node of this type needs?
Finding judge_role(const DatabaseFacts& facts, NodeType type);
Finding judge_replication_settings(const DatabaseFacts& facts, NodeType type);
// Pure: is serverconf in an instance of its own? `messagelog`: nothing when db.properties has none.
Finding judge_instance(const DbTarget& serverconf, const std::optional<DbTarget>& messagelog,
                       const std::string& file);

Findings look_at_database(const DoctorSubject& subject);

}  // namespace xs
