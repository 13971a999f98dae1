// SPDX-License-Identifier: MIT
#include "tests/support/plans.h"

#include <utility>

#include "sync/hash.h"
#include "tests/support/catch.h"

namespace xs::test {

PlanRules rules_for(Compare compare, Flags<Keep> keep) {
  PlanRules rules;
  rules.options.compare = compare;
  rules.options.keep = keep;
  rules.options.scan = {Scan::Recursive};
  return rules;
}

Lines steps(const Plan& plan) {
  static const char* const kNames[] = {"Displace",  "MakeDir",      "Install",      "Link",
                                       "Symlink",   "Special",      "InstallIndex", "Delete",
                                       "DeleteDir", "DirAttributes"};
  Lines all;
  for (const Action& one : plan.actions) {
    all.push_back(std::string(kNames[static_cast<std::size_t>(one.kind)]) + " " + one.path);
  }
  return all;
}

Lines itemised(const Plan& plan) {
  Lines all;
  for (const Change& one : plan.changes) {
    std::string line = one.path + ":";
    const std::pair<bool, const char*> flags[] = {
        {one.created, " created"}, {one.deleted, " deleted"}, {one.content, " content"},
        {one.size, " size"},       {one.time, " time"},       {one.mode, " mode"},
        {one.owner, " owner"},     {one.group, " group"},     {one.acl, " acl"},
        {one.xattr, " xattr"}};
    for (const auto& [set, name] : flags) {
      if (set) line += name;
    }
    all.push_back(std::move(line));
  }
  return all;
}

bool empty(const Plan& plan) { return plan.actions.empty() && plan.changes.empty(); }

Plan plan_of(const Item& before, const Item& after, const PlanRules& rules) {
  const Entries local = tree({before});
  const Entries target = tree({after});
  Plan plan = make_plan(local, target, rules);
  if (plan.empty()) {
    CHECK(generation(local, rules.options) == generation(target, rules.options));
  }
  return plan;
}

}  // namespace xs::test
