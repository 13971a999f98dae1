// SPDX-License-Identifier: MIT
// FailoverPair: a primary and a standby that follows it over TCP through a slot, for the tests of
// promote and rejoin, with the means to break them: killed, frozen, cut from one another. `ss1` is
// the first primary and the role that it would log in as, `ss2` the standby.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "companion/replication/promote.h"
#include "tests/companion/replication/node.h"

namespace xs::test {

// SIGKILL for every process of its server but this one; returns when they are gone.
void kill_server(const Node& node, pid_t spared = 0);

// While it lives, every process of its server stands still.
class Frozen {
 public:
  explicit Frozen(const Node& node);
  ~Frozen();
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  std::vector<pid_t> pids_;
};

// The process of its server whose title holds this word; throws when there is none in a minute.
pid_t server_process(const Node& node, const std::string& title);

// While it lives, this process of its server stands still, such as "checkpointer".
class Halted {
 public:
  Halted(const Node& node, const std::string& title);
  ~Halted();
  Halted(const Halted&) = delete;
  Halted& operator=(const Halted&) = delete;

 private:
  pid_t pid_;
};

// Makes the second node a standby of the first, which logs in as `name` and has a slot of that
// name, and starts it; returns when it streams.
void follow(const Node& primary, const Node& standby, const std::string& name,
            const std::vector<std::string>& settings = {});

struct PairOptions {
  std::vector<std::string> primary;  // lines of postgresql.conf, which the standby's copy has too
  std::vector<std::string> standby;
  Node::Layout layout = Node::Layout::InData;
};

struct FailoverPair {
  explicit FailoverPair(const PairOptions& options = {});

  // What the nodes of a pair have in their postgresql.conf, for a third one.
  static std::vector<std::string> settings(const PairOptions& options = {});

  // For --primary, of the role of the other one.
  std::string to_ss1() const { return conninfo(ss1, "ss2"); }
  std::string to_ss2() const { return conninfo(ss2, "ss1"); }
  static std::string conninfo(const Node& node, const std::string& user);
  // Until the standby has replayed what the primary has.
  bool caught_up() const;

  Node ss1;
  Node ss2;
};

// To promote this node, with less patience than a person's; and what promote() says.
PromoteOrder order_for(const Node& node);
std::string promoted(const PromoteOrder& order);

}  // namespace xs::test
