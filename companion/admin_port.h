// SPDX-License-Identifier: MIT
// The admin port: X-Road's /maintenance with its texts and rules, and what operators miss beside
// it: /livez, /readyz, /primary, /secondary, /status.json, /metrics. Called by the HTTP server's
// thread. Only this host may ask, by the loopback or by an address of its own (403); where the
// settings allow it, others may read, never change. A web page that a browser on this host shows
// cannot ask either: Host, Origin, Referer and Sec-Fetch-Site are checked.
#pragma once

#include <string>

#include "companion/board.h"
#include "companion/http_server.h"
#include "companion/maintenance.h"
#include "companion/status_report.h"

namespace xs {

struct AdminFacts {
  std::string version;
  std::string role;
  bool can_drain = false;    // there is a port that maintenance mode shows on
  bool remote_read = false;  // other hosts may read
  std::vector<LeftOut> left_out = {};
  std::string interface = {};  // of the settings: an address, or a name of this host
};

class AdminPort {
 public:
  AdminPort(const Board& board, Maintenance& maintenance, AdminFacts facts)
      : board_(board), maintenance_(maintenance), facts_(std::move(facts)) {}

  HttpAnswer answer(const HttpRequest& request) const;
  StatusReport report() const;

 private:
  HttpAnswer change_maintenance(const HttpRequest& request) const;

  const Board& board_;
  Maintenance& maintenance_;
  AdminFacts facts_;
};

}  // namespace xs
