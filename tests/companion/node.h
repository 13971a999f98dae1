// SPDX-License-Identifier: MIT
// A node whose companion is the real program, with ports of its own on an address of the loopback.
// Nothing of X-Road runs on it; what its checks read is in `tree`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "companion/listen.h"
#include "tests/support/daemon.h"
#include "tests/support/free_port.h"
#include "tests/support/program.h"
#include "tests/support/raw_client.h"
#include "tests/support/stage_clock.h"
#include "tests/support/temp_tree.h"

namespace xs::test {

class Node {
 public:
  static constexpr const char* kNoChecks =
      "[checks]\nglobal-conf = false\nauth-key = false\nserverconf-db = false\n";

  explicit Node(std::string address = "127.0.0.1")
      : host(std::move(address)), health(free_port()), admin(free_port()), agent(free_port()) {
    tree.file("xroad/conf.d/node.ini", "[node]\ntype=slave\n");
    configure("");
  }

  // companion.ini with our ports, and `more`.
  void configure(const std::string& more) {
    tree.file("companion.ini", "[proxy]\nhealth-check-interface = " + host +
                                   "\nhealth-check-port = " + std::to_string(health) +
                                   "\n[admin]\nport = " + std::to_string(admin) +
                                   "\n[agent]\ninterface = " + host +
                                   "\nport = " + std::to_string(agent) + "\n" + more);
  }
  std::vector<std::string> line(const std::vector<std::string>& words) const {
    std::vector<std::string> all = {XS_COMPANION, "--config", tree.path_of("companion.ini"),
                                    "--xroad", tree.path_of("xroad")};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  Outcome run(const std::vector<std::string>& words) const { return run_program(line(words)); }

  // Starts the daemon and waits until it answers.
  Daemon& serve() {
    daemon_ = std::make_unique<Daemon>(line({"serve"}), tree.path_of("log"));
    if (!eventually([&] { return lives(); })) {
      throw std::runtime_error("no companion: " + daemon_->log());
    }
    return *daemon_;
  }
  Daemon& daemon() { return *daemon_; }
  void kill() { daemon_.reset(); }  // SIGKILL
  bool lives() const {
    try {
      return http_ask(admin, "GET /livez").body == "ok\n";
    } catch (const std::runtime_error&) {
      return false;
    }
  }

  TempTree tree;
  std::string host;
  std::uint16_t health, admin, agent;

 private:
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace xs::test
