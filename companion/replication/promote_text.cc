// SPDX-License-Identifier: MIT
#include "companion/replication/promote_text.h"

#include "base/text.h"

namespace xs {

std::string next_steps(const NextSteps& next) {
  const std::string old = next.old.empty() ? "the old primary" : next.old;
  const std::string host = next.host.empty() ? "THIS-NODE" : escape(next.host);
  std::string text =
      "\nWhat is left to do:\n"
      "1. The old primary (" +
      old +
      "): never start it as it is; two primaries lose writes. If it still runs, stop it. Take it "
      "back as a standby, on it:\n"
      "     xroad-companion replication rejoin --primary 'host=" +
      host + " port=" + std::to_string(next.port) +
      "'\n"
      "2. Before that, on this node, let standbys in (addresses, roles, slots):\n"
      "     xroad-companion replication setup primary --name " +
      host +
      " --standby NAME ...\n"
      "   Other standbys than the old primary follow by `rejoin` too.\n"
      "3. X-Road, on this node: [node] type=master in /etc/xroad/conf.d/node.ini; on the old "
      "primary type=slave. Restart their X-Road services.\n"
      "4. /etc/xroad/db.properties: a node that uses its own database (localhost, as the guide "
      "says) stays as it is; where the old primary's host is named, name this one. Clients of a "
      "Central Server find it by secondary_hosts.\n"
      "5. xroad-sync: a primary does not pull: systemctl disable --now xroad-sync.timer on this "
      "node; on all others [primary] host=" +
      host +
      " in /etc/xroad-sync/xroad-sync.ini, and this node must let their keys in.\n"
      "6. The load balancer needs nothing; look at `xroad-companion status` on each node.\n";
  if (next.names_emptied) {
    text +=
        "7. synchronous_standby_names has been made empty, so nothing waits for a standby, AND A "
        "WRITE IS SAFE ONLY HERE. When a standby streams again: alter system reset "
        "synchronous_standby_names; then `setup primary --profile synchronous`.\n";
  }
  return text;
}

}  // namespace xs
