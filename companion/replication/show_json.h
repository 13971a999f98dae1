// SPDX-License-Identifier: MIT
// The pieces of replication's JSON, for those who put more into the same object (node_report).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "companion/replication/judge.h"
#include "companion/replication/status.h"

namespace xs {

nlohmann::json replication_object(const ReplicationStatus& status,
                                  const ReplicationVerdict& verdict);
nlohmann::json findings_array(const std::vector<Judgement>& findings);

// JSON is UTF-8; a name need not be. Null where nothing is said.
nlohmann::json safe_json(const std::string& text);
std::string json_text(const nlohmann::json& object);

}  // namespace xs
