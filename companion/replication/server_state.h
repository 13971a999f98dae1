// SPDX-License-Identifier: MIT
// ServerState: what the server of a cluster is at this moment, also of a warm standby, which
// answers nobody (hot_standby=off), and of one that does not run: read from the server where it
// answers, else from its process titles and its control file. Asked by promote and rejoin before,
// and while, they change something. Nothing is changed. A directory without a
// database is Error of class Usage.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "companion/db.h"
#include "companion/replication/cluster.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/status.h"

namespace xs {

struct ServerState {
  bool runs = false;
  bool standby = false;  // by its own word, or by the control file
  // Its own account; empty: it does not answer questions, `silence` says why.
  std::optional<ReplicationStatus> status;
  std::string silence;
  ControlData control;
  bool streams = false;  // its receiver does
  Position received;
  std::optional<std::uint32_t> timeline;  // that is received
};
ServerState look_at_server(const Cluster& cluster, Clock& clock, Instant deadline);

// Over the socket, as the superuser. `longest`: what one question may take. A server that does not
// answer is Error of class Io.
std::unique_ptr<Db> open_server(const Cluster& cluster, Clock& clock, Instant deadline,
                                std::chrono::milliseconds longest = std::chrono::seconds(10));

// A setting as the configuration files have it, whether a server runs or not.
std::string configured(const Cluster& cluster, const std::string& setting, Clock& clock);

}  // namespace xs
