// SPDX-License-Identifier: MIT
// "Server conf database status": can the database of db.properties be reached as the proxy reaches
// it, and does it name this security server? The password is read for each question, kept for its
// time only, and never in a message.
#pragma once

#include <string>

#include "companion/check.h"

namespace xs {

struct ServerconfDbSettings {
  std::string db_properties = "/etc/xroad/db.properties";
};

class ServerconfDbCheck final : public Check {
 public:
  explicit ServerconfDbCheck(ServerconfDbSettings settings);
  std::string name() const override { return "Server conf database status"; }
  std::string word() const override { return "serverconf-db"; }
  // Throws Timeout when the database is silent until the deadline.
  Verdict ask(Clock& clock, Instant deadline) override;

 private:
  ServerconfDbSettings settings_;
};

}  // namespace xs
