// SPDX-License-Identifier: MIT
// "Proxy admin port", ours: is xroad-proxy there at all, and does it answer? X-Road's own health
// check runs inside the proxy and need not ask; ours runs beside it. Made where it is installed.
#pragma once

#include <string>

#include "companion/check.h"
#include "companion/http_get.h"

namespace xs {

class ProxyAliveCheck final : public Check {
 public:
  explicit ProxyAliveCheck(HttpTarget proxy_admin);
  std::string name() const override { return "Proxy admin port"; }
  std::string word() const override { return "proxy-alive"; }
  Verdict ask(Clock& clock, Instant deadline) override;

 private:
  HttpTarget proxy_admin_;
};

}  // namespace xs
