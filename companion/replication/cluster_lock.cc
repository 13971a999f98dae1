// SPDX-License-Identifier: MIT
#include "companion/replication/cluster_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/owned_file.h"

namespace xs {

ClusterLock::ClusterLock(const Cluster& cluster) {
  const std::string parent = parent_of(cluster.data);
  {
    const AsOwner rights(cluster.user);
    fd_ = open_file(parent, O_RDONLY | O_DIRECTORY);
  }
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) throw_errno("flock", parent);
  throw Error(Fault::Locked, "another setup, promote or rejoin is at work in " + quote(parent) +
                                 ": wait for its end");
}

}  // namespace xs
