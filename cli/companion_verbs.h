// SPDX-License-Identifier: MIT
// What xroad-companion does, verb by verb; xroad_companion.cc reads the command line. Each returns
// the exit code and throws Error for what keeps it from its work.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
#include "companion/node_settings.h"

namespace xs::cli {

// Until SIGTERM or SIGINT. Settings are read once: SIGHUP only says that a restart is needed.
int companion_serve(const NodeSettings& settings, Clock& clock);

enum class CheckFormat { Table, Json, Monitor };
// Asks every check once, now and in this process. A monitoring plugin's exit codes: 0 this node can
// work, 1 it is in maintenance mode, 2 it cannot, 3 nobody knows.
int companion_check(const ConfigPlaces& places, CheckFormat format, Clock& clock);

// What the running companion says; asks the checks itself when none runs.
int companion_status(const NodeSettings& settings, bool json, Clock& clock);

struct DoctorOrder {
  ConfigPlaces places;
  std::string root;  // look at the system that is mounted there; empty: this one
  bool json = false;
};
// The guide's chapters 3.2 and 3.3 as a checklist. Changes nothing. Exit code: 0 nothing is wrong,
// the class of the first point that is, 23 when some could not be looked at.
int companion_doctor(const DoctorOrder& order, Clock& clock);

struct MaintenanceOrder {
  bool on = false;
  bool drain = false;
  std::string reason;
  std::optional<std::chrono::seconds> lasts;
};
// Through the admin port of the running companion.
int companion_set_maintenance(const NodeSettings& settings, const MaintenanceOrder& order,
                              Clock& clock);
int companion_show_maintenance(const NodeSettings& settings, Clock& clock);

}  // namespace xs::cli
