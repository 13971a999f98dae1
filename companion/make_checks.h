// SPDX-License-Identifier: MIT
// make_checks: the checks that the settings ask for, X-Road's first and in X-Road's order. Called
// by the service and by the one-shot verbs.
#pragma once

#include <memory>
#include <vector>

#include "companion/check.h"
#include "companion/node_settings.h"

namespace xs {

std::vector<std::unique_ptr<Check>> make_checks(const NodeSettings& settings);

}  // namespace xs
