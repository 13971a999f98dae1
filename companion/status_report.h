// SPDX-License-Identifier: MIT
// StatusReport: the answer to "can this node work, and if not, why", made once and shown as a table
// for people, as JSON, as metrics and as one line for a monitor. Called by the admin port and by
// the verbs. Pure. The reader of the JSON takes it as somebody else's and throws Error of class
// Protocol.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "companion/maintenance.h"
#include "companion/schedule.h"

namespace xs {

// A check that is switched on and not asked on this node.
struct LeftOut {
  std::string word;
  std::string why;  // "not on a primary"
  bool operator==(const LeftOut&) const = default;
};

struct StatusReport {
  std::string version;
  std::string role;  // "primary", "secondary", "standalone"
  MaintenanceState maintenance;
  std::vector<Reading> checks;
  std::vector<LeftOut> left_out = {};
  std::string upgrade = {};  // how far one is, in a line that is escaped; empty: none

  // In X-Road's order; nothing: all pass.
  const Reading* first_failure() const;
  // Whether the load balancer may send work here.
  bool ready() const { return !maintenance.on && first_failure() == nullptr; }
  const double* measured(std::string_view check, std::string_view name) const;
};

std::string report_json(const StatusReport& report);
StatusReport parse_report(std::string_view json);

// A headline, then a table: for each check a line, and below it what it found; for one that fails,
// why and what mends it. `now` is the time of day.
std::string report_text(const StatusReport& report, std::int64_t now);
// "off", or since when, until when and why.
std::string maintenance_text(const MaintenanceState& state, std::int64_t now);
// A monitoring plugin's line and exit code: 0 ok, 1 warning (maintenance), 2 critical.
std::string monitor_line(const StatusReport& report);
int monitor_code(const StatusReport& report);

}  // namespace xs
