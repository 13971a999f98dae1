// SPDX-License-Identifier: MIT
// Plans: rules and plans for tests, and plans as lines that a reader of a failure understands.
#pragma once

#include <string>
#include <vector>

#include "sync/plan.h"
#include "tests/support/trees.h"

namespace xs::test {

inline constexpr Flags<Keep> kAll = Flags<Keep>::from_bits(kKnown<Keep>);

using Lines = std::vector<std::string>;

PlanRules rules_for(Compare compare = Compare::Content, Flags<Keep> keep = kAll);

// "Install a/b": an action a line.
Lines steps(const Plan& plan);
// "a/b: content size": a change a line, with its flags in the order of the struct.
Lines itemised(const Plan& plan);
bool empty(const Plan& plan);

// The plan for one item in place of another. Where it is empty the generations agree, or the test
// fails.
Plan plan_of(const Item& before, const Item& after, const PlanRules& rules);

}  // namespace xs::test
