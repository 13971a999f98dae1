// SPDX-License-Identifier: MIT
// UpgradeState: what `xroad-companion upgrade` must know after a crash: how far it came, and what
// the node was like before. A small JSON file, written before anything is changed and removed when
// all is as it was. Written by the verbs, one at a time (UpgradeLock); read by `status`, and by the
// service at start: between prepare and finish a restart keeps the maintenance mode.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "companion/maintenance.h"

namespace xs {

enum class UpgradePhase {
  Preparing,
  Prepared,
  Finishing,
  Leaving,  // all is verified: maintenance mode may end
};

// What the upgrade stops on this node.
struct UpgradeParts {
  bool maintenance = true;
  bool sync = true;
  bool replay = true;
  bool operator==(const UpgradeParts&) const = default;
};

struct UpgradeState {
  UpgradePhase phase = UpgradePhase::Preparing;
  std::string step;  // the one that was begun last; empty: none
  std::string role;
  std::string reason;
  std::int64_t since = 0;    // of prepare
  std::int64_t changed = 0;  // of the phase or the step
  UpgradeParts parts;
  // How it was before, and is to be again.
  MaintenanceState maintenance_before;
  std::string sync_before;  // whose pause; empty: it was not paused
  bool replay_before = false;

  // Whether the load balancer must send nothing here.
  bool keeps_out() const { return parts.maintenance && phase != UpgradePhase::Leaving; }
  bool operator==(const UpgradeState&) const = default;
};

std::string upgrade_json(const UpgradeState& state);
// Throws Error of class Io when it is not what upgrade_json() writes.
UpgradeState parse_upgrade(std::string_view json);

// Nothing: no upgrade is going on. Throws Io, with what to do, when that cannot be told.
std::optional<UpgradeState> load_upgrade(const std::string& file);
void save_upgrade(const std::string& file, const UpgradeState& state);
void remove_upgrade(const std::string& file);

// "prepared 12 min ago: version 7.5" and the like, one line.
std::string upgrade_words(const UpgradeState& state, std::int64_t now);
const char* phase_word(UpgradePhase phase);
// What maintenance mode and the pause of the sync are given as a reason; known again by its begin
// and end, whatever was made of the words between.
std::string upgrade_reason(const UpgradeState& state);
bool is_reason_of(const UpgradeState& state, std::string_view reason);

// Puts maintenance mode on where an upgrade, or a file that cannot be read, keeps this node out.
void keep_out_for_upgrade(const std::string& file, Maintenance& maintenance);

// One `upgrade` verb at a time: an flock beside the file. Throws Locked.
class UpgradeLock {
 public:
  explicit UpgradeLock(const std::string& file);

 private:
  Fd file_;
};

}  // namespace xs
