// SPDX-License-Identifier: MIT
// "Proxy memory usage status": is the proxy's heap below X-Road's memory-usage-threshold? Asks the
// proxy's own admin port; made only where the threshold is set.
#pragma once

#include <string>

#include "companion/check.h"
#include "companion/http_get.h"

namespace xs {

struct MemorySettings {
  HttpTarget proxy_admin{"127.0.0.1", 5566, "/memory-usage"};
  unsigned threshold = 0;  // [proxy] memory-usage-threshold, percent of the largest heap
};

class MemoryCheck final : public Check {
 public:
  explicit MemoryCheck(MemorySettings settings);
  std::string name() const override { return "Proxy memory usage status"; }
  std::string word() const override { return "memory"; }
  // An Error when the proxy does not answer, or not as it should.
  Verdict ask(Clock& clock, Instant deadline) override;

 private:
  MemorySettings settings_;
};

}  // namespace xs
