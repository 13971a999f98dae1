// SPDX-License-Identifier: MIT
#include "companion/service.h"

#include <sys/resource.h>

#include <algorithm>

#include "companion/health_port.h"
#include "companion/make_checks.h"
#include "companion/upgrade/state.h"

namespace xs {
namespace {

std::string how_to_move(const NodeSettings& settings, const std::string& owner,
                        const std::string& section, const std::string& key) {
  return owner + ": set " + key + " in section [" + section + "] of " + settings.places.own +
         " to another port";
}

Fd open_health(const NodeSettings& settings) {
  return listen_on(settings.health, "health port",
                   how_to_move(settings,
                               "xroad-proxy takes this port where X-Road's own files set "
                               "health-check-port",
                               "proxy", "health-check-port"));
}

Fd open_admin(const NodeSettings& settings) {
  return listen_on(
      settings.admin, "admin port",
      how_to_move(settings, "xroad-proxy has its own admin port on 5566 and cannot move", "admin",
                  "port"));
}

Fd open_agent(const NodeSettings& settings) {
  return listen_on(settings.agent, "agent port",
                   how_to_move(settings, "another program has it", "agent", "port"));
}

// How many descriptors all ports together may hold. Without that, clients that hang would take them
// from the load balancer and from the checks where the process may have few.
rlim_t descriptor_room() {
  constexpr rlim_t kOwn = 128, kLeast = 36;  // agent port, checks, log
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kLeast;
  return limit.rlim_cur > kOwn + kLeast ? limit.rlim_cur - kOwn : kLeast;
}

HttpLimits health_limits() {
  HttpLimits limits;
  limits.connections = static_cast<unsigned>(std::min<rlim_t>(512, descriptor_room() / 9 * 8));
  return limits;
}

HttpLimits admin_limits() {
  HttpLimits limits;
  limits.connections = static_cast<unsigned>(std::min<rlim_t>(64, descriptor_room() / 9));
  limits.body = 4096;  // a form
  return limits;
}

}  // namespace

ServicePorts open_ports(const NodeSettings& settings) {
  ServicePorts ports;
  if (settings.health.port != 0) ports.health = open_health(settings);
  if (settings.admin.port != 0) ports.admin = open_admin(settings);
  if (settings.agent.port != 0) ports.agent = open_agent(settings);
  return ports;
}

MaintenanceState maintenance_at_start(const NodeSettings& settings, Wall wall) {
  MaintenanceState kept;
  if (settings.maintenance_survives) kept = Maintenance(wall, settings.maintenance_file).state();
  Maintenance in_memory(std::move(wall));
  keep_out_for_upgrade(settings.upgrade.state_file, in_memory);
  MaintenanceState upgrade = in_memory.state();
  if (!upgrade.on || (kept.on && !kept.until)) return kept;
  if (kept.on) upgrade.since = kept.since;
  return upgrade;
}

Service::Service(ServicePorts ports, const NodeSettings& settings,
                 std::vector<std::unique_ptr<Check>> checks, const std::string& version,
                 Clock& clock, Wall wall)
    : maintenance_(std::move(wall),
                   settings.maintenance_survives ? settings.maintenance_file : std::string()),
      board_(std::move(checks), clock) {
  keep_out_for_upgrade(settings.upgrade.state_file, maintenance_);
  AdminFacts facts{version,
                   settings.role,
                   false,
                   settings.admin_remote_read,
                   left_out_checks(settings),
                   settings.admin.host};
  facts.can_drain = ports.health || ports.agent;
  if (ports.health) {
    health_.emplace(
        std::move(ports.health),
        [this](const HttpRequest&) { return health_answer(board_, maintenance_); }, clock,
        health_limits());
  }
  if (ports.admin) {
    admin_.emplace(board_, maintenance_, std::move(facts));
    admin_server_.emplace(
        std::move(ports.admin),
        [this](const HttpRequest& request) { return admin_->answer(request); }, clock,
        admin_limits());
  }
  if (ports.agent) {
    agent_.emplace(
        std::move(ports.agent),
        [this] { return agent_line(maintenance_.state(), board_.first_failure()); }, clock);
  }
}

void Service::sweep() {
  maintenance_.sweep();
  if (health_) health_->sweep();
  if (admin_server_) admin_server_->sweep();
}

bool Service::stop(Duration grace) {
  health_.reset();
  admin_server_.reset();
  agent_.reset();
  return board_.stop(grace);
}

}  // namespace xs
