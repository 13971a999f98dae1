// SPDX-License-Identifier: MIT
// A service on free ports of the loopback, with checks that say what the test wants.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "companion/service.h"
#include "tests/support/catch.h"
#include "tests/support/raw_client.h"
#include "tests/support/stage_clock.h"
#include "tests/support/staged_check.h"

namespace xs::test {

// A listening socket on a port that the kernel chose.
inline Fd open_port() { return listen_on({"127.0.0.1", 0, "test"}, "port", ""); }

class Ports {
 public:
  explicit Ports(bool health = true, bool agent = true) : health_on_(health), agent_on_(agent) {
    checks_.push_back(std::make_unique<StagedCheck>("Global conf validity", "global-conf", first));
    checks_.push_back(
        std::make_unique<StagedCheck>("Server conf database status", "serverconf-db", second));
  }
  // Healthy whatever the clock does.
  struct WithoutChecks {};
  explicit Ports(WithoutChecks) {}
  ~Ports() {
    first->release();
    second->release();
  }

  NodeSettings settings;
  StageClock clock;
  std::int64_t wall = 1'000'000;
  std::shared_ptr<Script> first = std::make_shared<Script>();
  std::shared_ptr<Script> second = std::make_shared<Script>();

  // Started at the first use; `settings` and the scripts count until then.
  Service& service() {
    if (!service_) {
      ServicePorts ports;
      if (health_on_) ports.health = open_port();
      if (agent_on_) ports.agent = open_port();
      ports.admin = open_port();
      service_ = std::make_unique<Service>(std::move(ports), settings, std::move(checks_), "9.9",
                                           clock, [this] { return wall; });
    }
    return *service_;
  }
  Service& known() {
    Service& started = service();
    REQUIRE(started.board().wait_until_known(clock.now() + std::chrono::seconds(1)));
    return started;
  }

  Reply health(const std::string& line = "GET /") {
    return http_ask(service().health_port(), line);
  }
  Reply admin(const std::string& path, const std::string& headers = "") {
    return http_ask(service().admin_port(), "GET " + path, headers);
  }
  std::string agent() { return RawClient(service().agent_port()).read_to_end(); }

 private:
  bool health_on_ = true, agent_on_ = true;
  std::vector<std::unique_ptr<Check>> checks_;
  std::unique_ptr<Service> service_;
};

}  // namespace xs::test
