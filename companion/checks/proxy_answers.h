// SPDX-License-Identifier: MIT
// "Proxy answers", ours: does X-Road's own health port, on another port than ours, say that the
// proxy works? It sees what nobody outside can: a token that is logged out, a database pool that is
// exhausted. Its maintenance mode is a failure here too.
#pragma once

#include <string>

#include "companion/check.h"
#include "companion/http_get.h"

namespace xs {

struct ProxyAnswersSettings {
  HttpTarget proxy_health;  // port 0 is a failure: nothing can be asked
};

class ProxyAnswersCheck final : public Check {
 public:
  explicit ProxyAnswersCheck(ProxyAnswersSettings settings);
  std::string name() const override { return "Proxy answers"; }
  std::string word() const override { return "proxy-answers"; }
  Verdict ask(Clock& clock, Instant deadline) override;

 private:
  ProxyAnswersSettings settings_;
};

}  // namespace xs
