// SPDX-License-Identifier: MIT
// StatusText: the status of a node in one line for people (`status`) and for monitoring (`status
// --check`). Pure: the file as it was read, and what time it is.
#pragma once

#include <string>

#include "sync/report/status.h"

namespace xs {

struct StatusLimits {
  Duration stale = std::chrono::minutes(5);      // WARNING: no success for that long
  Duration critical = std::chrono::minutes(15);  // CRITICAL
  Duration long_pause = std::chrono::hours(24);  // WARNING
  Duration pin_notice = std::chrono::hours(24);  // WARNING for that long; nobody tells us of logins
};

// The first word is ok, stale, paused, failed or unknown.
std::string status_text(const StatusFile& file, WallSeconds now, const StatusLimits& limits);

struct StatusCheck {
  int code = 3;  // Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
  std::string line;
};
StatusCheck check_status(const StatusFile& file, WallSeconds now, const StatusLimits& limits);

}  // namespace xs
