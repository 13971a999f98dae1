// SPDX-License-Identifier: MIT
// The agent port: haproxy's agent-check. Whoever connects gets one line and the end of the
// connection: "up ready", "drain", "maint" or "ready down#the_reason". On one thread with poll; no
// client can make it wait. haproxy keeps "maint" and "drain" until it hears "ready", and takes
// every word of a line for an order.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "companion/maintenance.h"

namespace xs {

std::string agent_line(const MaintenanceState& maintenance,
                       const std::optional<std::string>& failure);

class AgentPort {
 public:
  // `line` is called on the port's thread and must not block.
  AgentPort(Fd listening, std::function<std::string()> line, Clock& clock);
  ~AgentPort();
  AgentPort(const AgentPort&) = delete;
  AgentPort& operator=(const AgentPort&) = delete;

  std::uint16_t port() const;

 private:
  void run();

  Fd listening_;
  std::function<std::string()> line_;
  Clock& clock_;
  Fd stop_;
  std::thread thread_;
};

}  // namespace xs
