// SPDX-License-Identifier: MIT
// Central Servers: what each of them says about the nodes of its cluster, by its management REST
// API. Called by the verb `replication status`. Each server tells what stands in the database that
// all share, so an answer says as much about its database as about the nodes: ask them all, and
// compare (central_judge.h).
// A server that cannot be asked is an answer with its trouble, which has the class of its failure
// and never the API key. What is missing in an answer is missing here, and never "OK".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "companion/replication/central_choice.h"
#include "companion/wall.h"

namespace xs {

struct CentralNode {
  std::string name, address;
  std::string generated;  // as the server writes it
  std::optional<std::int64_t> generated_at;
  std::string status;  // "OK", "WARN", "ERROR", "UNKNOWN", or what a later version says
};

struct CentralAnswer {
  std::string where;             // "cs1.example:4000", escaped
  std::optional<Error> trouble;  // instead of all that follows; it names the server
  std::optional<bool> ha_configured;
  std::string name;  // of the node that answers
  std::vector<CentralNode> nodes;
  std::optional<bool> all_nodes_ok;
  std::optional<std::int64_t> clock_ahead;  // seconds, of ours
};

struct CentralReport {
  std::optional<Error> trouble;  // nobody was asked: no key, no CA
  std::vector<CentralAnswer> answers;
};

// One after the other, each with its share of the time. Throws nothing but what is no failure of
// reading files or of asking.
CentralReport ask_central_servers(const CentralChoice& choice, Clock& clock, Instant deadline,
                                  const Wall& wall = wall_now);

// The body of an answer. Pure. Throws Protocol.
CentralAnswer parse_central_answer(std::string_view body);

}  // namespace xs
