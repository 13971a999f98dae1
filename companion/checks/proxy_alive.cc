// SPDX-License-Identifier: MIT
#include "companion/checks/proxy_alive.h"

#include <utility>

#include "base/error.h"

namespace xs {

ProxyAliveCheck::ProxyAliveCheck(HttpTarget proxy_admin) : proxy_admin_(std::move(proxy_admin)) {
  proxy_admin_.path = "/";
}

// Any status will do: which paths there are differs between X-Road's versions.
Verdict ProxyAliveCheck::ask(Clock& clock, Instant deadline) {
  try {
    const HttpReply reply = http_get(proxy_admin_, clock, deadline);
    return {true, "", proxy_admin_.text() + " answers " + std::to_string(reply.status)};
  } catch (const Error& error) {
    if (error.fault() == Fault::Timeout || error.fault() == Fault::ConnectTimeout) throw;
    return {false, "Proxy is not running", error.text()};
  }
}

}  // namespace xs
