// SPDX-License-Identifier: MIT
// How the server of a cluster is started and on which port it listens, from what distributions
// leave behind: Debian's pg_ctlcluster, the units of systemd with their PGDATA and PGPORT (which no
// file of the cluster shows), the configuration, and postmaster.pid where a server runs. Called by
// find_cluster(), which has found the directories, the owner and the programs. Nothing is asked of
// a server. A port that is none is an Error of class Usage.
#pragma once

#include <string>

#include "companion/replication/cluster.h"

namespace xs {

struct ClusterLayout {
  bool debian = false;  // its configuration lies where Debian's clusters have it
  bool rhel = false;    // its data lies where Red Hat's clusters have it
};

// Sets starter, service, port and sockets.
void find_start(Cluster& cluster, const ClusterChoice& choice, const ClusterLayout& layout,
                const ClusterRoots& roots);

// Where a file of the data directory lies while a rejoin or a set-up that was broken off has the
// directory out of its place; in its place else.
std::string broken_off(const std::string& data, const std::string& name);

// The last NAME=value of the Environment= lines of a unit's text; "" when it has none.
std::string unit_environment(const std::string& text, const std::string& name);

}  // namespace xs
