// SPDX-License-Identifier: MIT
// `xroad-companion upgrade prepare|finish|status`: the command line of companion/upgrade. Called by
// main. What keeps a verb from its work is an Error.
#pragma once

#include "cli/companion_replication.h"

namespace xs::cli {

class UpgradeVerbs {
 public:
  explicit UpgradeVerbs(CLI::App& app);
  bool wanted() const { return group_->parsed(); }  // after the command line was read
  int run(const ReplicationCall& call) const;

 private:
  CLI::App* group_;
  std::vector<ReplicationVerb> verbs_;
};

}  // namespace xs::cli
