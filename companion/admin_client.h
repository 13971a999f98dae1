// SPDX-License-Identifier: MIT
// AdminClient: the running companion of this node, asked through its ports. Called by the verbs.
// Failures: Usage (the admin port is off), Network (no companion runs), Timeout, Protocol (another
// program has the port), Unsupported (it has no port that maintenance mode shows on).
#pragma once

#include <string>

#include "companion/http_get.h"
#include "companion/node_settings.h"
#include "companion/status_report.h"

namespace xs {

class AdminClient {
 public:
  AdminClient(const NodeSettings& settings, Clock& clock) : settings_(settings), clock_(clock) {}

  StatusReport report() const;
  // Its answer: "Maintenance mode set: false => true". `until` counts, `since` does not.
  std::string set_maintenance(const MaintenanceState& next) const;
  // What the load balancer hears now; 0: the health port is off.
  int health() const;

 private:
  HttpTarget admin(const std::string& path) const;
  HttpReply answer_of_companion(const HttpTarget& target) const;
  HttpReply get(const HttpTarget& target) const;

  const NodeSettings& settings_;
  Clock& clock_;
};

}  // namespace xs
