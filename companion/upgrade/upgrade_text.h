// SPDX-License-Identifier: MIT
// What `xroad-companion upgrade status` shows: how far an upgrade is, what was the case before it,
// and what is the case now. What cannot be asked is said in its place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "companion/node_settings.h"
#include "companion/replication/access.h"
#include "companion/upgrade/state.h"

namespace xs {

struct UpgradeView {
  std::optional<UpgradeState> state;
  std::string maintenance, sync, replay;  // now, in words; escaped
};

// Throws Io when the state file cannot be read.
UpgradeView view_upgrade(const NodeSettings& settings, const ReplicationAccess& access,
                         Clock& clock);
std::string upgrade_text(const UpgradeView& view, std::int64_t now);
std::string upgrade_view_json(const UpgradeView& view);

}  // namespace xs
