// SPDX-License-Identifier: MIT
// What the verbs that change the cluster of this node have in common on the command line: where it
// lies, and how their plan is shown or carried out. Used by `replication setup`, `promote` and
// `rejoin`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "companion/replication/cluster_choice.h"
#include "companion/replication/plan.h"

namespace xs::cli {

// --cluster, --data, --config, --bin, --service, --sockets and --port. The values are there after
// the command line was read; fill_from() adds those of companion.ini.
std::shared_ptr<ClusterChoice> add_cluster_options(CLI::App& verb);

// This process's own command, as one would type it again.
std::string own_command();

// Prints on stdout: with `dry` what would be done, else each step as it is done.
void perform(const WorkPlan& plan, bool dry);

}  // namespace xs::cli
