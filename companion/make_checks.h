// SPDX-License-Identifier: MIT
// make_checks: the checks that the settings ask for, X-Road's first and in X-Road's order. Called
// by the service and by the one-shot verbs. A check that asks what only a secondary can answer is
// left out on a primary and a standalone node, so that one companion.ini fits all of a cluster;
// where node.ini has no known type, it is asked.
#pragma once

#include <memory>
#include <vector>

#include "companion/check.h"
#include "companion/node_settings.h"
#include "companion/status_report.h"

namespace xs {

std::vector<std::unique_ptr<Check>> make_checks(const NodeSettings& settings);
// What is switched on, and left out by the role.
std::vector<LeftOut> left_out_checks(const NodeSettings& settings);

}  // namespace xs
