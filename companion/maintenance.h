// SPDX-License-Identifier: MIT
// Maintenance: whether an operator took this node out of the load balancer. In memory, and off
// again after a restart as X-Road has it; with a state file it survives one. Called from any
// thread. A state file that cannot be read means "on": somebody wanted the node out, perhaps. A
// state that cannot be written holds in memory and is logged.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "companion/wall.h"

namespace xs {

struct MaintenanceState {
  bool on = false;
  bool drain = false;  // sessions may end by themselves: agents say "drain", not "maint"
  std::string reason;
  std::int64_t since = 0;
  std::optional<std::int64_t> until;  // off again by itself
  bool operator==(const MaintenanceState&) const = default;
};

class Maintenance {
 public:
  explicit Maintenance(Wall wall, std::string state_file = {});

  MaintenanceState state() const;
  // Now and then, by one thread: writes down that a mode with an end is over.
  void sweep();
  std::int64_t now() const { return wall_(); }
  // Returns whether it was on. `since` is filled in, and kept while it stays on.
  bool set(MaintenanceState next);

 private:
  void end_what_is_over() const;
  void load();
  void save();

  Wall wall_;
  std::string state_file_;
  std::mutex save_lock_;  // a slow disk holds up who sets the mode, never who asks for it
  mutable std::mutex lock_;
  mutable MaintenanceState state_;
  mutable bool ended_ = false;  // by itself, and the file does not know
};

std::string maintenance_json(const MaintenanceState& state);
// Throws Error of class Io when it is not what maintenance_json() writes.
MaintenanceState parse_maintenance(std::string_view json);

}  // namespace xs
