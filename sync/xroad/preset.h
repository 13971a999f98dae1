// SPDX-License-Identifier: MIT
// Preset: a named set of rules that configuration begins with. "xroad" is for /etc/xroad on the
// nodes of a cluster, "none" is rsync without opinions. Data, for the client's configuration, the
// server's, and the documentation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sync/filter.h"
#include "sync/xroad/guard.h"
#include "sync/xroad/wake.h"

namespace xs {

struct Preset {
  std::string name;
  // --exclude patterns of the client: the cluster guide's, and what must never leave a node.
  std::vector<std::string> excludes;
  // --exclude patterns that a server never serves and a client never takes or deletes, whatever
  // anybody includes.
  std::vector<std::string> never;
  std::vector<std::string> index_files;
  GuardRules guard;
  WakeAction wake;
  bool roles = false;  // client and server ask for the node's role, and for a restore in progress

  // FilterList::with_mandatory() takes it; SenderConfig::mandatory is it.
  FilterList fence() const;
};

// nullptr: there is none of this name.
const Preset* find_preset(std::string_view name);
const std::vector<Preset>& presets();

}  // namespace xs
