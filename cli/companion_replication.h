// SPDX-License-Identifier: MIT
// `xroad-companion replication VERB`: the frame of its verbs. A verb is a file of its own with one
// function that adds its subcommand, and a line in the table of companion_replication.cc. What a
// verb throws is an Error; run_main() turns it into a line and an exit code.
//   ReplicationVerb add_replication_pause(CLI::App& group) {
//     CLI::App* app = group.add_subcommand("pause", "...");
//     const auto options = std::make_shared<Options>();
//     const auto access = add_access_options(*app);
//     return {app, [=](const ReplicationCall& call) { return pause(call, *access, *options); }};
//   }
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "companion/node_settings.h"
#include "companion/replication/access.h"

namespace xs::cli {

struct ReplicationCall {
  const ConfigPlaces& places;
  Clock& clock;
};

struct ReplicationVerb {
  CLI::App* app = nullptr;
  std::function<int(const ReplicationCall&)> run;  // the exit code
};

// --host, --port, --user, --database, --passfile, --ssl..., --db-properties, --primary of one verb.
// The values are there after the command line was read; settings_for() adds those of companion.ini.
std::shared_ptr<ReplicationAccess> add_access_options(CLI::App& verb);

// companion.ini and X-Road's files, `access` filled from their [replication].
NodeSettings settings_for(const ReplicationCall& call, ReplicationAccess& access);

class ReplicationVerbs {
 public:
  // Adds the subcommand `replication` with all verbs.
  explicit ReplicationVerbs(CLI::App& app);
  bool wanted() const;  // after the command line was read
  int run(const ReplicationCall& call) const;

 private:
  CLI::App* group_;
  std::vector<ReplicationVerb> verbs_;
};

}  // namespace xs::cli
