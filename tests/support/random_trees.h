// SPDX-License-Identifier: MIT
// Random pairs of small trees with every type of entry, many names in common, hard links that are
// grouped in different ways, and rules of every kind. What can differ without being seen under the
// options (a digest that is not there) is left out, so a plan's result has nothing left to plan.
#pragma once

#include <random>
#include <set>
#include <string>

#include "protocol/messages.h"
#include "sync/plan.h"

namespace xs::test {

struct PlanCase {
  Entries local;
  Entries target;
  PlanRules rules;  // is_protected: a member of the next one
  std::set<std::string> protected_paths;
};

PlanCase random_case(std::mt19937_64& random);

// The whole case, an entry a line, for the message of a failed test.
std::string show(const PlanCase& made);

}  // namespace xs::test
