// SPDX-License-Identifier: MIT
#include "companion/health_port.h"

#include <utility>

#include "tests/companion/ports.h"

using namespace xs;
using namespace std::chrono_literals;
using test::eventually;
using test::Ports;
using test::Reply;

namespace {

constexpr const char* kOk = "HTTP/1.1 200 OK";
constexpr const char* kFailed = "HTTP/1.1 500 Internal Server Error";
constexpr const char* kAway = "HTTP/1.1 503 Service Unavailable";

// What X-Road's load balancers see: xroad-facts 2.2.
constexpr auto kMessages = std::to_array<const char*>({
    "At least one HSM are non operational",
    "Global configuration is expired",
    "No authentication key available. Signer might be down.",
    "No certificate chain available in authentication key.",
    "No end entity certificate available for authentication key.",
    "Getting OCSP response for authentication key failed.",
    "Authentication key OCSP response status 6",
    "ServerConf is not available",
    "Server Conf database did not respond as expected",
    "Memory usage above threshold",
    "Fetching health check response timed out for: Global conf validity",
    "Fetching health check response failed for: Global conf validity",
});

}  // namespace

TEST_CASE("health: a healthy node answers 200 with nothing", "[companion]") {
  Ports ports;
  ports.known();
  const Reply reply = ports.health();
  CHECK(reply.status() == kOk);
  CHECK(reply.body.empty());
  CHECK(reply.has("Content-Length: 0\r\n"));
  CHECK_FALSE(reply.has("Server:"));
  CHECK_FALSE(reply.has("Content-Type"));
}

TEST_CASE("health: every message is X-Road's, with a newline, under 500", "[companion]") {
  Ports ports;
  ports.known();
  Duration held = 2s;  // a success, then failures
  for (const char* message : kMessages) {
    ports.first->fail_with(message);
    ports.clock.advance(std::exchange(held, 30s));
    INFO(message);
    REQUIRE(eventually([&] { return ports.service().board().first_failure() == message; }));
    const Reply reply = ports.health();
    CHECK(reply.status() == kFailed);
    CHECK(reply.body == std::string(message) + "\n");
    CHECK_FALSE(reply.has("Server:"));
    CHECK_FALSE(reply.has("Content-Type"));
  }
}

TEST_CASE("health: any path and any method get the same answer", "[companion]") {
  Ports ports;
  ports.first->fail_with("Global configuration is expired");
  ports.known();
  for (const char* line :
       {"GET /", "GET /any/path?with=query", "POST /", "PUT /x", "DELETE /", "OPTIONS *", "PATCH /",
        "BREW /pot", "GET http://other/x", "GET /%00%ff/../.."}) {
    INFO(line);
    const Reply reply = ports.health(line);
    CHECK(reply.status() == kFailed);
    CHECK(reply.body == "Global configuration is expired\n");
  }
  const Reply head = ports.health("HEAD /");
  CHECK(head.status() == kFailed);
  CHECK(head.body.empty());
}

TEST_CASE("health: maintenance mode answers 503 with the exact text and no newline",
          "[companion]") {
  Ports ports;
  ports.first->fail_with("Global configuration is expired");
  ports.known();
  ports.admin("/maintenance?targetState=true");
  const Reply reply = ports.health();
  CHECK(reply.status() == kAway);
  CHECK(reply.body == "Health check interface is in maintenance mode.");
  CHECK(ports.health("HEAD /x").status() == kAway);
  ports.admin("/maintenance?targetState=false");
  CHECK(ports.health().status() == kFailed);
}

TEST_CASE("health: before the first result it is 500 with the reason, at once", "[companion]") {
  Ports ports;
  ports.first->hold();
  const Reply reply = ports.health();
  CHECK(reply.status() == kFailed);
  CHECK(reply.body == "Health check has no result yet for: Global conf validity\n");
  REQUIRE(eventually([&] { return ports.first->asked == 1; }));
  ports.clock.advance(5s);
  CHECK(ports.health().body ==
        "Fetching health check response timed out for: Global conf validity\n");
}

TEST_CASE("health: a body is no reason to wait", "[companion]") {
  Ports ports;
  const std::uint16_t port = ports.known().health_port();
  CHECK(test::http_ask(port, "POST /", "Content-Length: 5\r\n", "hello").status() == kOk);
  // Announced, long, and never sent.
  CHECK(test::http_ask(port, "POST /", "Content-Length: 100000000\r\n").status() == kOk);
  CHECK(test::http_ask(port, "POST /", "Transfer-Encoding: chunked\r\n", "ffffff\r\n").status() ==
        kOk);
}
