// SPDX-License-Identifier: MIT
// postgresql.auto.conf, which ALTER SYSTEM writes and which is stronger than postgresql.conf,
// changed while no server can write it: it is stopped, or a warm standby. Called by promote and
// rejoin. Other lines stay as they are.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "companion/replication/cluster.h"

namespace xs {

// Pure. `name = ...` lines of these names are taken out; those with a value are put in at the end.
std::string with_auto_settings(std::string_view text,
                               const std::vector<std::pair<std::string, std::string>>& settings);
std::string without_auto_settings(std::string_view text, const std::vector<std::string>& names);

void set_auto_conf(const Cluster& cluster,
                   const std::vector<std::pair<std::string, std::string>>& settings);

}  // namespace xs
