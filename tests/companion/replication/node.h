// SPDX-License-Identifier: MIT
// Node: the database of one node of a cluster, made by initdb in a temporary directory and run as
// an account that is not root, as a distribution leaves it behind: configuration in the data
// directory (RHEL) or apart (Debian); or made and started by Debian's own programs. Unlike
// Postgres, whoever likes may stop, replace and start it; whatever server has the data directory at
// the end is ended, also when the test is killed. Failures to set up are exceptions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "companion/replication/cluster.h"
#include "tests/support/temp_dir.h"

namespace xs::test {

class Node {
 public:
  enum class Layout { InData, Apart, Debian };
  // A sentence for a skipped test where there can be none of Layout::Debian.
  static std::optional<std::string> no_debian();
  explicit Node(Layout layout = Layout::InData, const std::vector<std::string>& settings = {});
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const TempDir& dir() const { return dir_; }
  std::string data() const { return dir_ / "lib/data"; }
  std::string config() const;
  std::uint16_t port() const { return port_; }
  ClusterChoice choice() const;
  ClusterRoots roots() const;  // where this node's clusters are looked for
  Cluster cluster() const;     // found without a look at this machine

  void start() const;
  void stop() const;
  bool running() const;
  // As the superuser, over the socket.
  std::string value(const std::string& query, const std::string& database = "postgres") const;
  void sql(const std::string& statement, const std::string& database = "postgres") const;
  // Asks until it gets this answer; false when the time is over, or nobody answers.
  bool says(const std::string& query, const std::string& answer,
            std::chrono::milliseconds within = std::chrono::seconds(60)) const;
  // Appends to postgresql.conf or pg_hba.conf.
  void append(const std::string& file, const std::string& lines) const;
  std::string log() const;

 private:
  void make_cluster();
  void guard();

  TempDir dir_;
  Layout layout_;
  std::uint16_t port_ = 0;
  Fd alive_;  // its end tells the guard that we are gone
  pid_t guard_ = -1;
};

ClusterRoots nowhere(const TempDir& dir);

}  // namespace xs::test
