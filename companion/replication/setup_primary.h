// SPDX-License-Identifier: MIT
// `replication setup primary`: makes the database of this node one that standbys can follow. The
// plan is made after everything that can be known before has been checked, so that a wrong input is
// one line and nothing half done; making it changes nothing.
// Failures: Usage (options, a password file, no such cluster), Network (its server does not run),
// Role (it is a standby), Refused (it would take something from somebody), Mismatch (certificates).
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "companion/replication/cluster.h"
#include "companion/replication/plan.h"
#include "companion/replication/profile.h"
#include "companion/wall.h"

namespace xs {

inline constexpr const char* kPkiDirectory = "/etc/xroad/postgresql";

struct NodeSpec {
  std::string name;
  std::vector<std::string> hosts;  // for its certificate; its name where there are none
};
// "ss2" or "ss2=ss2.example,10.0.0.2".
NodeSpec parse_node_spec(const std::string& words);

// What the operator has not said: there the lines of an earlier run hold, else the defaults.
struct Unsaid {
  bool profile = false, login = false, group = false, allow = false;
  bool listen = false, wal_limit = false, pki = false;
};

struct PrimarySetup {
  ClusterChoice cluster;
  ClusterRoots roots;
  std::string name;                // of this node: its certificate's common name
  std::vector<std::string> hosts;  // how standbys reach it, the first one is used
  std::vector<NodeSpec> standbys;
  PrimaryPlan plan;
  std::string pki = kPkiDirectory;
  PkiPaths given;  // certificates that exist already; all three or none
  std::string password_file;
  Unsaid unsaid;
  bool change_profile = false;    // another profile, login or group than those in place
  std::vector<std::string> drop;  // commits no longer wait for these
  int ca_days = 3650;
  int node_days = 730;
  std::string again;  // the command that repeats this
};

WorkPlan plan_primary(const PrimarySetup& setup, Clock& clock, const Wall& wall);

}  // namespace xs
