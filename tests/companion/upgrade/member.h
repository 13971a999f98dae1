// SPDX-License-Identifier: MIT
// Cluster and Member: a primary (a database that is written to, a tree behind a real sshd) and its
// secondaries, each with a companion, a standby of the database and xroad-sync, all real. For the
// tests of the upgrade. Failures to set up are exceptions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "companion/upgrade/state.h"
#include "tests/companion/node.h"
#include "tests/support/nodes.h"
#include "tests/support/postgres.h"

namespace xs::test {

struct Cluster {
  Cluster();
  Postgres database;
  Primary tree;
};

class Member {
 public:
  // Serving, and answering 200. `more`: further lines of companion.ini.
  explicit Member(Cluster& cluster, const std::string& more = Node::kNoChecks);

  Node node;
  std::unique_ptr<Postgres> standby;
  Secondary sync;

  void configure(const std::string& more);
  Ran run(const std::vector<std::string>& words) const { return run_apart(node.line(words)); }
  // `upgrade WORDS`, which must end well; what it said.
  std::string upgrade(const std::vector<std::string>& words) const;
  // SIGKILL to `upgrade WORDS` as soon as it says that it begins this step; false: it did not.
  bool killed_at(const std::vector<std::string>& words, const std::string& step) const;
  void restart_companion();  // SIGKILL

  int health() const;  // the status, 0: no answer
  bool replay_paused() const;
  bool sync_paused() const;
  std::string state_file() const { return node.tree.path_of("upgrade.json"); }
  std::optional<UpgradeState> state() const { return load_upgrade(state_file()); }
};

// The companion of a node that is no secondary.
void configure_alone(Node& node, const std::string& type, const std::string& more);

}  // namespace xs::test
