// SPDX-License-Identifier: MIT
#include "companion/checks/proxy_answers.h"

#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace xs {

ProxyAnswersCheck::ProxyAnswersCheck(ProxyAnswersSettings settings)
    : settings_(std::move(settings)) {}

Verdict ProxyAnswersCheck::ask(Clock& clock, Instant deadline) {
  static constexpr const char* kSilent = "Proxy does not answer";
  const HttpTarget& target = settings_.proxy_health;
  if (target.port == 0) return {false, kSilent, "the port of the proxy's health check is not set"};
  try {
    const HttpReply reply = http_get(target, clock, deadline);
    if (reply.status == 200) return {true, "", target.text() + " says it is healthy"};
    return {false, "Proxy is not healthy",
            target.text() + " answers " + std::to_string(reply.status) + ": " +
                excerpt(trim(reply.body), 200)};
  } catch (const Error& error) {
    if (error.fault() == Fault::Timeout || error.fault() == Fault::ConnectTimeout) throw;
    return {false, kSilent, error.text()};
  }
}

}  // namespace xs
