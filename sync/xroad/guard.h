// SPDX-License-Identifier: MIT
// Guard: what a secondary does not let a source do to it. Asked by the client about every plan
// before anything is fetched for it (PullRequest::approve), so nothing is touched when it refuses.
// Pure. A refusal has the numbers, the first few paths, and how to allow it once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/plan.h"

namespace xs {

struct GuardRules {
  bool deletions = true;     // the guard against mass deletion, and against an empty source
  unsigned percent = 30;     // more of our files gone than this ...
  std::uint64_t count = 10;  // ... and more than this many: refused
  std::vector<std::string> precious;  // files that the source must have when we have them
  std::vector<std::string> required;  // paths: they and all below must be readable at the source
  std::optional<std::uint64_t> max_delete;    // --max-delete: names, directories too
  std::string allow = "--allow-mass-delete";  // what the operator adds to allow it once
};

// Throws Partial for a problem at or below a required path, at either side.
void check_required(const std::vector<Problem>& problems, const GuardRules& rules);

// Throws Refused. `allow` of the rules lifts all but max_delete: the caller unsets `deletions`.
void check_deletions(const Plan& plan, const Entries& local, const Entries& target,
                     const GuardRules& rules);

// Both, in this order: PullRequest::approve.
void approve_plan(const Plan& plan, const Entries& local, const Entries& target,
                  const std::vector<Problem>& problems, const GuardRules& rules);

// What somebody must do by hand after these changes, for log and status: the PIN of the software
// token is another one now, so it needs a login on this node. Empty: nothing.
std::string token_notice(const std::vector<Change>& changes);

}  // namespace xs
