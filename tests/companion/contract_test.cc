// SPDX-License-Identifier: MIT
// X-Road's own health check as the contract: its names, its texts and its answers, each byte but
// the date. That the checks say these texts for these reasons, their own tests show.
#include "companion/make_checks.h"
#include "tests/companion/ports.h"

using namespace xs;
using namespace std::chrono_literals;
using test::Ports;

namespace {

struct Named {
  const char* word;
  const char* name;
  const char* timed_out;
  const char* failed;
};

// X-Road's five first, in the order in which X-Road asks, then ours.
constexpr auto kChecks = std::to_array<Named>({
    {"hsm", "Hardware Security Modules status",
     "Fetching health check response timed out for: Hardware Security Modules status",
     "Fetching health check response failed for: Hardware Security Modules status"},
    {"global-conf", "Global conf validity",
     "Fetching health check response timed out for: Global conf validity",
     "Fetching health check response failed for: Global conf validity"},
    {"auth-key", "Authentication key OCSP status",
     "Fetching health check response timed out for: Authentication key OCSP status",
     "Fetching health check response failed for: Authentication key OCSP status"},
    {"serverconf-db", "Server conf database status",
     "Fetching health check response timed out for: Server conf database status",
     "Fetching health check response failed for: Server conf database status"},
    {"memory", "Proxy memory usage status",
     "Fetching health check response timed out for: Proxy memory usage status",
     "Fetching health check response failed for: Proxy memory usage status"},
    {"proxy-alive", "Proxy admin port",
     "Fetching health check response timed out for: Proxy admin port",
     "Fetching health check response failed for: Proxy admin port"},
    {"proxy-answers", "Proxy answers",
     "Fetching health check response timed out for: Proxy answers",
     "Fetching health check response failed for: Proxy answers"},
    {"sync-age", "Configuration sync age",
     "Fetching health check response timed out for: Configuration sync age",
     "Fetching health check response failed for: Configuration sync age"},
    {"replication", "Database replication status",
     "Fetching health check response timed out for: Database replication status",
     "Fetching health check response failed for: Database replication status"},
    {"sign-keys", "Signing keys status",
     "Fetching health check response timed out for: Signing keys status",
     "Fetching health check response failed for: Signing keys status"},
});

// The whole reply but its Date, whose place varies with nothing.
std::string bytes_of(std::uint16_t port, const std::string& request) {
  test::RawClient client(port);
  client.send(request + "\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  std::string reply = client.read_to_end();
  const std::size_t date = reply.find("Date: ");
  if (date != std::string::npos) reply.erase(date, reply.find("\r\n", date) + 2 - date);
  return reply;
}

std::string head(const std::string& status, std::size_t length, const std::string& type = "") {
  return "HTTP/1.1 " + status + "\r\nConnection: close\r\n" +
         (type.empty() ? "" : "Content-Type: " + type + "\r\n") +
         "Content-Length: " + std::to_string(length) + "\r\n\r\n";
}

// X-Road's admin port says so of everything, its plain texts too.
std::string admin(const std::string& text) {
  return head("200 OK", text.size(), "application/json;charset=utf-8") + text;
}

struct Exchange {
  const char* request;
  std::string reply;
};

void expect(std::uint16_t port, const std::vector<Exchange>& exchanges) {
  for (const Exchange& exchange : exchanges) {
    INFO(exchange.request);
    CHECK(bytes_of(port, exchange.request) == exchange.reply);
  }
}

}  // namespace

TEST_CASE("contract: the checks have X-Road's names and order", "[companion]") {
  NodeSettings settings;
  settings.role = "secondary";
  settings.hsm_enabled = true;
  settings.memory.threshold = 90;
  settings.proxy_installed = true;
  settings.on = {true, true, true, true, true, true, true, true};
  const auto checks = make_checks(settings);
  REQUIRE(checks.size() == kChecks.size());
  for (std::size_t i = 0; i < checks.size(); ++i) {
    CHECK(checks[i]->word() == kChecks[i].word);
    CHECK(checks[i]->name() == kChecks[i].name);
    CHECK(timed_out_text(checks[i]->name()) == kChecks[i].timed_out);
    CHECK(failed_text(checks[i]->name()) == kChecks[i].failed);
  }
}

TEST_CASE("contract: what the health port sends, byte for byte", "[companion]") {
  Ports ports;
  const std::uint16_t port = ports.known().health_port();
  const std::string healthy = head("200 OK", 0);
  expect(port, {{"GET / HTTP/1.1", healthy},
                {"HEAD / HTTP/1.1", healthy},
                {"POST /any?thing HTTP/1.1", healthy},
                {"OPTIONS / HTTP/1.0", healthy},  // haproxy's own
                {"GET /maintenance?targetState=true HTTP/1.1", healthy}});
  ports.first->fail_with("Global configuration is expired");
  ports.clock.advance(2s);
  REQUIRE(test::eventually([&] { return ports.service().board().first_failure().has_value(); }));
  const std::string failed = head("500 Internal Server Error", 32);
  expect(port, {{"GET / HTTP/1.1", failed + "Global configuration is expired\n"},
                {"HEAD /x HTTP/1.1", failed},
                {"OPTIONS / HTTP/1.0", failed + "Global configuration is expired\n"}});
  ports.admin("/maintenance?targetState=true");
  const std::string away = head("503 Service Unavailable", 46);
  expect(port, {{"GET / HTTP/1.1", away + "Health check interface is in maintenance mode."},
                {"HEAD / HTTP/1.1", away},
                {"OPTIONS / HTTP/1.0", away + "Health check interface is in maintenance mode."}});
}

TEST_CASE("contract: what the admin port sends, byte for byte", "[companion]") {
  Ports ports;
  const std::uint16_t port = ports.known().admin_port();
  const std::string ignored = admin("Invalid parameter 'targetState', request ignored\n");
  const std::string nowhere = head("404 Not Found", 0);
  expect(port, {{"GET /maintenance?targetState=false HTTP/1.1",
                 admin("Maintenance mode set: false => false\n")},
                {"GET /maintenance?targetState=true HTTP/1.1",
                 admin("Maintenance mode set: false => true\n")},
                {"GET /maintenance?targetState=TRUE HTTP/1.1",
                 admin("Maintenance mode set: true => true\n")},
                {"POST /maintenance?targetState=fALSE HTTP/1.1",
                 admin("Maintenance mode set: true => false\n")},
                {"GET /maintenance HTTP/1.1", ignored},
                {"GET /maintenance?targetState= HTTP/1.1", ignored},
                {"GET /maintenance?targetState=on HTTP/1.1", ignored},
                {"GET / HTTP/1.1", nowhere},
                {"GET /maintenanc HTTP/1.1", nowhere},
                {"POST /nowhere?targetState=true HTTP/1.1", nowhere},
                {"GET /livez HTTP/1.1", head("200 OK", 3, "text/plain;charset=utf-8") + "ok\n"}});
  const std::string why = "Host evil.example is not this host\n";
  test::RawClient client(port);
  client.send("GET /maintenance?targetState=true HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  const test::Reply refused = test::split_reply(
      client.read_until([&](const std::string& all) { return all.ends_with(why); }));
  CHECK(refused.status() == "HTTP/1.1 403 Forbidden");
  CHECK(refused.body == why);
}

TEST_CASE("contract: without a port that would show it, maintenance mode is refused, byte for byte",
          "[companion]") {
  Ports ports(false, false);
  expect(ports.service().admin_port(),
         {{"GET /maintenance?targetState=true HTTP/1.1",
           admin("No HealthCheckPort found, maintenance mode not set\n")},
          {"GET /maintenance?targetState=false HTTP/1.1",
           admin("No HealthCheckPort found, maintenance mode not set\n")},
          {"GET /maintenance?targetState=x HTTP/1.1",
           admin("Invalid parameter 'targetState', request ignored\n")}});
}
