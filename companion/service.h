// SPDX-License-Identifier: MIT
// Service: the companion at work: the board of checks and the ports that answer from it. Made by
// `xroad-companion serve`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "companion/admin_port.h"
#include "companion/agent_port.h"
#include "companion/board.h"
#include "companion/http_server.h"
#include "companion/maintenance.h"
#include "companion/node_settings.h"
#include "companion/wall.h"

namespace xs {

// Bound and listening; an empty one is off.
struct ServicePorts {
  Fd health, admin, agent;
};
// Before anything is started, so that a port that is taken costs nothing but a message: Start or
// Usage, with the setting that moves ours.
ServicePorts open_ports(const NodeSettings& settings);

// The maintenance mode that a companion would begin with now: as the settings let it survive, and
// as an upgrade that goes on wants it. For who finds none at work. Writes nothing.
MaintenanceState maintenance_at_start(const NodeSettings& settings, Wall wall = wall_now);

class Service {
 public:
  Service(ServicePorts ports, const NodeSettings& settings,
          std::vector<std::unique_ptr<Check>> checks, const std::string& version, Clock& clock,
          Wall wall = wall_now);

  // 0: off.
  std::uint16_t health_port() const { return health_ ? health_->port() : std::uint16_t{0}; }
  std::uint16_t admin_port() const {
    return admin_server_ ? admin_server_->port() : std::uint16_t{0};
  }
  std::uint16_t agent_port() const { return agent_ ? agent_->port() : std::uint16_t{0}; }
  const Board& board() const { return board_; }

  // Once a second: cuts connections past their time.
  void sweep();
  // Board::came_round()
  bool came_round() { return board_.came_round(); }
  // Closes the ports, ends the checks; see Board::stop().
  bool stop(Duration grace);

 private:
  Maintenance maintenance_;
  Board board_;
  std::optional<AdminPort> admin_;
  std::optional<HttpServer> health_, admin_server_;
  std::optional<AgentPort> agent_;
};

}  // namespace xs
