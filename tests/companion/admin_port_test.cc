// SPDX-License-Identifier: MIT
#include "companion/admin_port.h"

#include <nlohmann/json.hpp>

#include "tests/companion/ports.h"

using namespace xs;
using namespace std::chrono_literals;
using test::Ports;
using test::Reply;

namespace {

constexpr const char* kType = "Content-Type: application/json;charset=utf-8\r\n";

std::string said(Ports& ports, const std::string& query) {
  const Reply reply = ports.admin("/maintenance" + query);
  CHECK(reply.status() == "HTTP/1.1 200 OK");
  CHECK(reply.has(kType));
  CHECK_FALSE(reply.has("Server:"));
  return reply.body;
}

}  // namespace

TEST_CASE("admin: the four answers of maintenance mode are X-Road's", "[companion]") {
  Ports ports;
  CHECK(said(ports, "?targetState=false") == "Maintenance mode set: false => false\n");
  CHECK(said(ports, "?targetState=true") == "Maintenance mode set: false => true\n");
  CHECK(said(ports, "?targetState=TRUE") == "Maintenance mode set: true => true\n");
  CHECK(said(ports, "?targetState=False") == "Maintenance mode set: true => false\n");
}

TEST_CASE("admin: a wrong target state is ignored with X-Road's text", "[companion]") {
  Ports ports;
  for (const char* query : {"", "?", "?targetState", "?targetState=", "?targetState=yes",
                            "?targetState=true%20", "?targetstate=true", "?targetState=tru%65x"}) {
    INFO(query);
    CHECK(said(ports, query) == "Invalid parameter 'targetState', request ignored\n");
  }
  CHECK(said(ports, "?targetState=true&until=soon") ==
        "Invalid parameter 'until', request ignored\n");
  // Seconds that somebody took for a duration, and the present moment.
  for (const char* passed : {"3600", "1000000"}) {
    CHECK(said(ports, std::string("?targetState=true&until=") + passed) ==
          "Invalid parameter 'until', request ignored\n");
  }
  CHECK(said(ports, "?targetState=false&until=3600") == "Maintenance mode set: false => false\n");
  CHECK(said(ports, "?targetState=true&drain=1") == "Invalid parameter 'drain', request ignored\n");
  CHECK(said(ports, "?targetState=tru%65") == "Maintenance mode set: false => true\n");
}

TEST_CASE("admin: without a port that would show it, maintenance mode is not set", "[companion]") {
  Ports ports(false, false);
  CHECK(said(ports, "?targetState=true") == "No HealthCheckPort found, maintenance mode not set\n");
  CHECK(said(ports, "?targetState=maybe") == "Invalid parameter 'targetState', request ignored\n");
}

TEST_CASE("admin: the parameter may come in a posted form, or by any method", "[companion]") {
  Ports ports;
  const std::uint16_t port = ports.service().admin_port();
  const std::string form = "x=1&targetState=%74rue&reason=a+b";
  const Reply reply = test::http_ask(port, "POST /maintenance",
                                     "Content-Type: application/x-www-form-urlencoded\r\n"
                                     "Content-Length: " +
                                         std::to_string(form.size()) + "\r\n",
                                     form);
  CHECK(reply.body == "Maintenance mode set: false => true\n");
  CHECK(test::http_ask(port, "DELETE /maintenance?targetState=false").body ==
        "Maintenance mode set: true => false\n");
  const std::string large(5000, 'x');
  CHECK(test::http_ask(port, "POST /maintenance", "Content-Length: 5000\r\n", large)
            .status()
            .starts_with("HTTP/1.1 413"));
}

TEST_CASE("admin: an unknown path is 404 with nothing", "[companion]") {
  Ports ports;
  for (const char* path : {"/", "/maintenance/", "/Maintenance", "/clearconfcache", "/livez/x"}) {
    INFO(path);
    const Reply reply = ports.admin(path);
    CHECK(reply.status() == "HTTP/1.1 404 Not Found");
    CHECK(reply.body.empty());
  }
}

TEST_CASE("admin: another host gets 403 with nothing, for every path", "[companion]") {
  Ports ports;
  ports.known();
  Maintenance maintenance([] { return 1; });
  AdminFacts facts{"9.9", "primary", true, false};
  const AdminPort port(ports.service().board(), maintenance, facts);
  HttpRequest request;
  request.query = {{"targetState", "true"}};
  for (const char* path : {"/maintenance", "/livez", "/status.json", "/metrics", "/nowhere"}) {
    request.path = path;
    const HttpAnswer answer = port.answer(request);
    CHECK(answer.status == 403);
    CHECK(answer.body.empty());
  }
  facts.remote_read = true;
  const AdminPort open(ports.service().board(), maintenance, facts);
  request.path = "/livez";
  CHECK(open.answer(request).status == 200);
  request.path = "/maintenance";
  CHECK(open.answer(request).status == 403);
  CHECK_FALSE(maintenance.state().on);
}

TEST_CASE("admin: this host may call the port by the address on which it asks", "[companion]") {
  Ports ports;
  ports.known();
  Maintenance maintenance([] { return 1; });
  const AdminPort port(ports.service().board(), maintenance,
                       {"9.9", "primary", true, false, {}, "ss1.internal"});
  HttpRequest request;
  request.path = "/livez";
  request.from_this_host = true;
  request.own_address = "192.0.2.11";
  const auto status = [&](const std::string& host) {
    request.headers = {{"Host", host}};
    return port.answer(request).status;
  };
  CHECK(status("192.0.2.11:5590") == 200);
  CHECK(status("SS1.internal:5590") == 200);
  CHECK(status("192.0.2.12:5590") == 403);
  CHECK(status("192.0.2.11.evil.example") == 403);
  request.own_address.clear();
  CHECK(status("192.0.2.11:5590") == 403);
  CHECK(status("") == 403);
}

TEST_CASE("admin: an address is shown as a Host header has it", "[companion]") {
  const auto v6 = [](const char* text) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    ::inet_pton(AF_INET6, text, &address.sin6_addr);
    return address_text(reinterpret_cast<const sockaddr*>(&address));
  };
  CHECK(v6("2001:db8::1") == "[2001:db8::1]");
  CHECK(v6("::ffff:192.0.2.1") == "192.0.2.1");
  CHECK(address_text(nullptr).empty());
}

TEST_CASE("admin: loopback addresses are told from others", "[companion]") {
  const auto v4 = [](const char* text) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, text, &address.sin_addr);
    return is_loopback(reinterpret_cast<const sockaddr*>(&address));
  };
  const auto v6 = [](const char* text) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    ::inet_pton(AF_INET6, text, &address.sin6_addr);
    return is_loopback(reinterpret_cast<const sockaddr*>(&address));
  };
  CHECK(v4("127.0.0.1"));
  CHECK(v4("127.9.9.9"));
  CHECK_FALSE(v4("128.0.0.1"));
  CHECK_FALSE(v4("10.0.0.127"));
  CHECK(v6("::1"));
  CHECK(v6("::ffff:127.0.0.1"));
  CHECK_FALSE(v6("::ffff:10.0.0.1"));
  CHECK_FALSE(v6("fe80::1"));
  CHECK_FALSE(is_loopback(nullptr));
}

TEST_CASE("admin: a web page in a browser on this host cannot change anything", "[companion]") {
  Ports ports;
  const std::uint16_t port = ports.known().admin_port();
  const auto status = [&](const std::string& headers) {
    test::RawClient client(port);
    client.send("GET /maintenance?targetState=true HTTP/1.1\r\nConnection: close\r\n" + headers +
                "\r\n");
    return test::split_reply(client.read_to_end()).status();
  };
  for (const char* headers :
       {"Host: evil.example\r\n", "Host: evil.example:5566\r\n", "Host: 127.0.0.1.evil.example\r\n",
        "Host: [::2]:5566\r\n", "Host: \r\n", "Host: localhost\r\nOrigin: http://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n", "Host: localhost\r\nOrigin: localhost\r\n",
        "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
        "Host: localhost\r\nsec-fetch-site: same-site\r\n",
        "Host: localhost\r\nHost: evil.example\r\n", "Host: localhost:5566.evil.example\r\n",
        "Host: localhost:\r\n", "Host: [::1].evil.example\r\n", "Host: localhost.\r\n",
        "Host: localhost\r\nReferer: http://evil.example/localhost\r\n",
        "Host: localhost\r\nReferer: https://localhost:5566@evil.example/\r\n",
        "Host: localhost\r\nOrigin: http://127.0.0.1.evil.example\r\n"}) {
    INFO(headers);
    CHECK(status(headers) == "HTTP/1.1 403 Forbidden");
  }
  CHECK(ports.health().status() == "HTTP/1.1 200 OK");
  CHECK(status("Host: LocalHost:5566\r\nOrigin: http://127.0.0.1:5566\r\n") == "HTTP/1.1 200 OK");
  CHECK(status("Host: [::1]:5566\r\nSec-Fetch-Site: none\r\n") == "HTTP/1.1 200 OK");
  CHECK(status("Host: localhost\r\nReferer: http://localhost:5566/status.json?x=y/z\r\n") ==
        "HTTP/1.1 200 OK");
  // What comes after the last header that is kept cannot be checked.
  std::string many = "Host: localhost\r\n";
  for (int i = 0; i < 64; ++i) many += "a:b\r\n";
  CHECK(status(many + "Origin: http://evil.example\r\n") ==
        "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_CASE("admin: livez lives while nothing works, readyz tells what fails", "[companion]") {
  Ports ports;
  ports.second->fail_with("ServerConf is not available");
  ports.known();
  CHECK(ports.admin("/livez").body == "ok\n");
  const Reply reply = ports.admin("/readyz");
  CHECK(reply.status() == "HTTP/1.1 503 Service Unavailable");
  CHECK(reply.body == "ServerConf is not available\n");
  CHECK(ports.admin("/readyz?verbose").body ==
        "[+]maintenance ok\n[+]global-conf ok\n"
        "[-]serverconf-db failed: ServerConf is not available\nnot ready\n");
  CHECK(ports.admin("/readyz?exclude=serverconf-db").body == "ok\n");
  CHECK(ports.admin("/readyz?verbose&exclude=serverconf-db").body ==
        "[+]maintenance ok\n[+]global-conf ok\n[+]serverconf-db excluded\nready\n");
  const Reply wrong = ports.admin("/readyz?exclude=serverconf");
  CHECK(wrong.status() == "HTTP/1.1 400 Bad Request");
  CHECK(wrong.body == "Invalid parameter 'exclude': no check is called 'serverconf'\n");
  ports.admin("/maintenance?targetState=true");
  CHECK(ports.admin("/readyz?exclude=serverconf-db").body == "maintenance mode\n");
  CHECK(ports.admin("/readyz?exclude=serverconf-db&exclude=maintenance").body == "ok\n");
}

TEST_CASE("admin: status.json is what the verbs read, with every reason", "[companion]") {
  Ports ports;
  ports.settings.role = "secondary";
  ports.second->say(
      Verdict{false, "broken \xff", "why", {{"lag_bytes", 4.5}}, {{"generation", "abc"}}});
  ports.known();
  ports.admin("/maintenance?targetState=true&reason=up%0Agrade&until=1000500&drain=true");
  const Reply reply = ports.admin("/status.json");
  CHECK(reply.has(kType));
  const StatusReport report = parse_report(reply.body);
  CHECK(report.role == "secondary");
  CHECK(report.version == "9.9");
  CHECK(report.maintenance.reason == "up\ngrade");
  CHECK(report.maintenance.until == 1'000'500);
  CHECK(report.maintenance.drain);
  REQUIRE(report.checks.size() == 2);
  CHECK(report.checks[0].ok);
  CHECK(report.checks[1].detail == "why");
  CHECK(*report.measured("serverconf-db", "lag_bytes") == 4.5);
  CHECK_FALSE(report.ready());
  CHECK(nlohmann::json::parse(reply.body)["generation"] == "abc");
}

TEST_CASE("admin: metrics are what Prometheus reads", "[companion]") {
  Ports ports;
  ports.second->say(Verdict{false, "x", "", {{"lag_bytes", 16777216}}});
  ports.known();
  const Reply reply = ports.admin("/metrics");
  CHECK(reply.has("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  for (const char* line : {"xroad_companion_ready 0\n", "xroad_companion_maintenance 0\n",
                           "# TYPE xroad_companion_health gauge\n",
                           "xroad_companion_health{check=\"global-conf\"} 1\n",
                           "xroad_companion_health{check=\"serverconf-db\"} 0\n",
                           "xroad_companion_build_info{version=\"9.9\",role=\"standalone\"} 1\n",
                           "xroad_companion_serverconf_db_lag_bytes 16777216\n"}) {
    INFO(reply.body);
    CHECK(reply.body.find(line) != std::string::npos);
  }
}
