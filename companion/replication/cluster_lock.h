// SPDX-License-Identifier: MIT
// ClusterLock: one verb at a time changes the cluster of a node: setup, promote and rejoin hold it
// while they do. It is a lock on the directory that holds the data directory, which is there when
// the data directory is not, and which no verb renames; nothing is left of it. Throws Locked.
#pragma once

#include "base/fd.h"
#include "companion/replication/cluster.h"

namespace xs {

class ClusterLock {
 public:
  explicit ClusterLock(const Cluster& cluster);

 private:
  Fd fd_;
};

}  // namespace xs
