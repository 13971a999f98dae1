// SPDX-License-Identifier: MIT
// Hooks: the operator's programs in hooks.d, run after a commit that changed something, in the
// order of their names. Called by the client after the engine is done; the tree is new by then and
// stays so, whatever a hook does. Never throws: what went wrong comes back as sentences, for Action
// (44). After a commit that a crash cut short they are run by whoever completes it; a crash between
// the end of its journal and the hooks loses them, so what must not be lost is a wake command.
//
// Run: regular, executable files whose name does not begin with '.' and does not end like a
// leftover of an editor or a package manager. Directory and file must belong to root or to us, and
// nobody else may write them; otherwise they are not run, which is a failure. A hook gets no
// argument, nothing on stdin, and this environment alone:
//   PATH, LC_ALL
//   XROAD_SYNC_HOOK          its own name
//   XROAD_SYNC_ROOT          the destination
//   XROAD_SYNC_GENERATION    that the destination has now; empty after the completed commit of an
//                            earlier run
//   XROAD_SYNC_CHANGED       how many paths changed
//   XROAD_SYNC_CHANGED_FILE  a private file with these paths, relative to the root, each ended by a
//                            NUL byte (xargs -0); gone when the hooks are done
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sync/plan.h"

namespace xs {

struct HookRequest {
  std::string directory = "/etc/xroad-sync/hooks.d";  // absent: no hooks
  Duration limit = std::chrono::seconds(60);          // for all of them together
  std::string root;
  std::string generation;  // as it is shown
  std::vector<std::string> changed;
  std::string temp_dir = "/tmp";  // where the private file is made
};

struct HookReport {
  std::vector<std::string> ran;       // names, in their order
  std::vector<std::string> failures;  // sentences
};

// The paths of these changes, sorted as they are.
std::vector<std::string> changed_paths(const std::vector<Change>& changes);

HookReport run_hooks(const HookRequest& request, Clock& clock) noexcept;

}  // namespace xs
