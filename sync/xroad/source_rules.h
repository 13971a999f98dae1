// SPDX-License-Identifier: MIT
// SourceRules: when a primary may be copied from. Asked by the server before it answers and again
// before it seals, so that no state is ever sealed that was half-way through a restore or a change
// of the PIN. Throws what the client then reports: Role (this node is no primary), Vanished
// (something is in flight; the next run will do), Io (cannot be told). Never writes.
#pragma once

#include <string>

#include "sync/dir.h"
#include "sync/xroad/keyconf.h"

namespace xs {

struct SourceRules {
  std::string node_ini;        // absolute; empty: any role may be copied from
  std::string restore_marker;  // absolute; empty: not asked
  std::string signer;          // a name in the root; empty: there is no signer to care for
};

// What X-Road has, for a root that is /etc/xroad or stands for it.
SourceRules xroad_source_rules(const std::string& root);

void check_source(const SourceRules& rules, const Dir& root);

// What of the signer's directory counts. Pure: throws Vanished while a change of the PIN is in
// flight.
struct SignerState {
  bool softtoken = false;  // the directory of the keys is there
  bool backup = false;     // .softtoken.bak is, which the signer has only during the change
  Keyconf keyconf;         // empty when there is none
};
SignerState look_at_signer(const Dir& root, const std::string& signer);
void check_signer(const SignerState& state);

}  // namespace xs
