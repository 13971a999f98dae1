// SPDX-License-Identifier: MIT
// xroad-companion as an operator meets it.
#include <ifaddrs.h>
#include <net/if.h>

#include <nlohmann/json.hpp>

#include "companion/node_settings.h"
#include "companion/upgrade/state.h"
#include "tests/companion/node.h"
#include "tests/companion/ports.h"
#include "tests/support/free_port.h"
#include "tests/support/silent.h"

using namespace xs;
using namespace std::chrono_literals;
using Catch::Contains;
using test::Daemon;
using test::eventually;
using test::Node;
using test::Outcome;

namespace {

constexpr const char* kOff = Node::kNoChecks;

// One of IPv4 that is not the loopback's; empty: none.
std::string own_address() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const ifaddrs* one = all.get(); one != nullptr; one = one->ifa_next) {
    const bool fits = one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET &&
                      (one->ifa_flags & IFF_UP) != 0 && !is_loopback(one->ifa_addr);
    if (fits) return address_text(one->ifa_addr);
  }
  return {};
}

}  // namespace

TEST_CASE("xroad-companion: it serves, is asked, goes away and comes back", "[companion]") {
  Node node;
  node.configure(kOff);
  Daemon daemon(node.line({"serve"}), node.tree.path_of("log"));
  REQUIRE(eventually([&] { return node.lives(); }));
  CHECK(test::http_ask(node.health, "GET /").status() == "HTTP/1.1 200 OK");
  CHECK(node.run({"maintenance", "status"}).out == "off\n");
  CHECK(node.run({"maintenance", "on", "--reason", "new & better", "--for", "600"}).out ==
        "Maintenance mode set: false => true\n");
  CHECK(test::http_ask(node.health, "GET /").body ==
        "Health check interface is in maintenance mode.");
  CHECK(test::RawClient(node.agent).read_to_end() == "maint\n");
  CHECK_THAT(node.run({"maintenance", "status"}).out, Contains("to go: new & better"));
  CHECK_THAT(node.run({"status"}).out, Contains("no work: in maintenance mode"));
  CHECK(node.run({"maintenance", "off"}).out == "Maintenance mode set: true => false\n");
  CHECK_THAT(node.run({"status"}).out, Contains("can work: every check passes"));
  daemon.signal(SIGHUP);
  CHECK(eventually([&] { return daemon.log().find("restart") != std::string::npos; }));
  CHECK(node.lives());
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("xroad-companion: a restart ends maintenance mode, unless told to keep it",
          "[companion]") {
  Node node;
  for (const bool kept : {false, true}) {
    node.configure(std::string(kOff) +
                   "[maintenance]\nsurvive-restart = " + (kept ? "true" : "false") +
                   "\nstate-file = " + node.tree.path_of("m.json") + "\n");
    for (const bool second : {false, true}) {
      Daemon daemon(node.line({"serve"}), node.tree.path_of("log"));
      REQUIRE(eventually([&] { return node.lives(); }));
      const std::string status = node.run({"maintenance", "status"}).out;
      CHECK((status != "off\n") == (kept && second));
      node.run({"maintenance", "on"});
      daemon.signal(SIGTERM);
      CHECK(daemon.wait() == 0);
    }
  }
}

TEST_CASE("xroad-companion: without a companion, check and status keep what it would begin with",
          "[companion]") {
  Node node;
  const std::string kept = node.tree.path_of("m.json");
  const std::string upgrade = node.tree.path_of("u.json");
  const auto configure = [&](bool survives) {
    node.configure(std::string(kOff) + "[maintenance]\nstate-file = " + kept +
                   "\nsurvive-restart = " + (survives ? "true" : "false") +
                   "\n[upgrade]\nstate-file = " + upgrade + "\n");
  };
  const auto expect = [&](const std::string& line, const std::string& status) {
    const Outcome outcome = node.run({"check", "--check"});
    CHECK(outcome.out == line);
    CHECK_THAT(node.run({"status"}).out, Contains(status));
  };
  const std::string away = "XROAD WARNING - maintenance mode\n";
  configure(false);
  MaintenanceState state;
  state.on = true;
  state.reason = "a disk";
  node.tree.file("m.json", maintenance_json(state));
  expect("XROAD OK - 0 checks pass\n", "can work");
  configure(true);
  expect(away, "no work: in maintenance mode: a disk");
  configure(false);
  UpgradeState half;
  half.phase = UpgradePhase::Prepared;
  half.reason = "version 7.5";
  save_upgrade(upgrade, half);
  expect(away, "no work: in maintenance mode");
  half.phase = UpgradePhase::Leaving;
  save_upgrade(upgrade, half);
  expect("XROAD OK - 0 checks pass\n", "can work");
  node.tree.file("u.json", "{");
  expect(away, "no work: in maintenance mode");
}

TEST_CASE("xroad-companion: check asks once and has a monitor's exit codes", "[companion]") {
  Node node;
  Outcome outcome = node.run({"check", "--check"});
  CHECK_THAT(outcome.out, Contains("XROAD CRITICAL - Global configuration is expired"));
  CHECK_THAT(outcome.end, Contains("status 2"));
  outcome = node.run({"check", "--json"});
  CHECK(nlohmann::json::parse(outcome.out)["ready"] == false);
  node.configure(kOff);
  outcome = node.run({"check"});
  CHECK_THAT(outcome.out, Contains("can work"));
  CHECK_THAT(outcome.end, Contains("status 0"));
  node.configure("[checks]\nno-such = true\n");
  outcome = node.run({"check", "--check"});
  CHECK_THAT(outcome.out, Contains("XROAD UNKNOWN - ") && Contains("companion.ini:10: "));
  CHECK_THAT(outcome.end, Contains("status 3"));
}

TEST_CASE("xroad-companion: a check that fails leaves the daemon at work", "[companion]") {
  Node node;
  node.tree.file("xroad/signer/keyconf.xml", "<keyConf", 0600).dir("xroad/globalconf");
  Daemon daemon(node.line({"serve"}), node.tree.path_of("log"));
  REQUIRE(eventually([&] { return node.lives(); }));
  CHECK(eventually([&] {
    return test::http_ask(node.health, "GET /").body == "Global configuration is expired\n";
  }));
  CHECK_THAT(node.run({"status"}).out,
             Contains("cannot work: Global configuration is expired") && Contains("db.properties"));
  daemon.signal(SIGINT);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("xroad-companion: a stuck check and open requests do not hold up its end",
          "[companion]") {
  Node node;
  const test::SilentPort database;
  node.configure(
      "[checks]\nglobal-conf = false\nauth-key = false\n[serverconf-db]\ndb-properties = " +
      node.tree.path_of("db.properties") + "\n");
  node.tree.file("db.properties",
                 "serverconf.hibernate.connection.url=jdbc:postgresql://127.0.0.1:" +
                     std::to_string(database.port()) +
                     "/serverconf\nserverconf.hibernate.connection.username=serverconf\n"
                     "serverconf.hibernate.connection.password=x\n");
  Daemon& daemon = node.serve();
  CHECK(test::http_ask(node.health, "GET /").body ==
        "Health check has no result yet for: Server conf database status\n");
  test::RawClient begun(node.health), kept(node.health), silent(node.agent);
  begun.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx");
  kept.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  kept.read_until([](const std::string& all) { return all.ends_with("status\n"); });
  const auto asked = std::chrono::steady_clock::now();
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
  CHECK(std::chrono::steady_clock::now() - asked < 4s);  // the check would wait for 5 s
  CHECK(begun.read_to_end().empty());
  CHECK(kept.read_to_end().empty());
}

TEST_CASE("xroad-companion: who cannot start says why in one line", "[companion]") {
  Node node;
  const test::SilentPort proxy;
  node.admin = proxy.port();
  node.configure("");
  Outcome outcome = node.run({"serve"});
  CHECK_THAT(outcome.end, Contains("set port in section [admin] of"));
  CHECK_THAT(outcome.end, Contains("status 5"));
  node.tree.file("companion.ini", "[proxy]\nhealth-check-port = yes\n");
  outcome = node.run({"serve"});
  CHECK_THAT(outcome.end, Contains("companion.ini:2: health-check-port = yes"));
  CHECK_THAT(test::run_program({XS_COMPANION, "--config", "/nonexistent/x", "serve"}).end,
             Contains("No such file"));
  CHECK_THAT(test::run_program({XS_COMPANION, "dance"}).end, Contains("--help"));
  // A monitor's form: its line on stdout, and not 1, which would be a warning.
  outcome = test::run_program({XS_COMPANION, "check", "--json", "--check"});
  CHECK_THAT(outcome.out, Catch::StartsWith("XROAD UNKNOWN - ") && Contains("excludes"));
  CHECK(outcome.end == "it ended with status 3");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"replication", "status", "--check", "--no-such\noption"},
        {"replication", "status", "--check", "--timeout", "never"},
        {"replication", "--check", "status"}}) {
    std::vector<std::string> line{XS_COMPANION};
    line.insert(line.end(), words.begin(), words.end());
    outcome = test::run_program(line);
    INFO(words.back());
    CHECK_THAT(outcome.out, Catch::StartsWith("REPLICATION UNKNOWN - ") && Contains("--help"));
    CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 1);
    CHECK(outcome.end == "it ended with status 3");
  }
}

TEST_CASE("xroad-companion: a port that xroad-proxy has is told with the setting that moves ours",
          "[companion]") {
  Node node;
  const test::SilentPort proxy;
  node.health = proxy.port();
  node.configure("");
  // X-Road's own file says which port its proxy takes.
  node.tree.file("xroad/conf.d/local.ini",
                 "[proxy]\nhealth-check-port = " + std::to_string(node.health) + "\n");
  node.tree.file("companion.ini", "[admin]\nport = " + std::to_string(node.admin) + "\n");
  const Outcome outcome = node.run({"serve"});
  const std::string ini = node.tree.path_of("companion.ini");
  CHECK_THAT(outcome.end,
             Contains("the health port cannot use 0.0.0.0 port " + std::to_string(node.health) +
                      " (" + node.tree.path_of("xroad/conf.d/local.ini") +
                      ":2): Address already in use: xroad-proxy takes this port where X-Road's own "
                      "files set health-check-port: set health-check-port in section [proxy] of " +
                      ini + " to another port"));
  CHECK_THAT(outcome.end, Contains("status 5"));
  node.tree.file("companion.ini", "[proxy]\nhealth-check-port = 0\n[admin]\nport = " +
                                      std::to_string(proxy.port()) + "\n");
  CHECK_THAT(node.run({"serve"}).end,
             Contains("the admin port cannot use 127.0.0.1 port " + std::to_string(proxy.port()) +
                      " (" + ini +
                      ":4): Address already in use: xroad-proxy has its own admin port "
                      "on 5566 and cannot move: set port in section [admin] of " +
                      ini));
}

TEST_CASE("xroad-companion: it does not start on ports that xroad-proxy will want", "[companion]") {
  Node node;
  node.configure(std::string(kOff) +
                 "[memory]\nproxy-admin-port = " + std::to_string(test::free_port()) + "\n");
  node.tree.file("xroad/conf.d/local.ini",
                 "[proxy]\nhealth-check-port = " + std::to_string(node.health) + "\n");
  node.serve();  // nobody else wants them
  node.kill();
  node.tree.file("xroad/conf.d/proxy.ini", "[proxy]\n");
  const std::string ini = node.tree.path_of("companion.ini");
  Outcome outcome = node.run({"serve"});
  CHECK_THAT(outcome.end, Contains("on which xroad-proxy of this node listens: set "
                                   "health-check-port in section [proxy] of " +
                                   ini));
  CHECK_THAT(outcome.end, Contains("status 1"));
  node.tree.remove("xroad/conf.d/local.ini");
  node.configure(std::string(kOff) + "[memory]\nproxy-admin-port = " + std::to_string(node.admin) +
                 "\n");
  outcome = node.run({"serve"});
  CHECK_THAT(outcome.end, Contains("which xroad-proxy of this node needs for itself: set port in "
                                   "section [admin] of " +
                                   ini));
  CHECK_THAT(outcome.end, Contains("status 1"));
}

TEST_CASE("xroad-companion: check knows what only the running companion can see", "[companion]") {
  Node node;
  test::StageClock clock;
  Fd listening = test::open_port();
  const std::string peer = std::to_string(bound_port(listening.get()));
  const HttpServer other_node(
      std::move(listening),
      [](const HttpRequest&) {
        return HttpAnswer{
            200, R"({"v":1,"generation":")" + std::string(32, 'b') +
                     R"(","checks":[{"check":"sync-age","measured":{"age_seconds":0.0}}]})"};
      },
      clock);
  node.tree.file("status.json", R"({"v":1,"generation":")" + std::string(32, 'a') +
                                    R"(","last_success":{"at":)" + std::to_string(wall_now() - 60) +
                                    "}}");
  node.configure(std::string(kOff) + "sync-age = true\n[sync-age]\nmax-difference = 1\n" +
                 "status-file = " + node.tree.path_of("status.json") +
                 "\npeers = 127.0.0.1:" + peer + "\n");
  CHECK_THAT(node.run({"check", "--check"}).out, Contains("XROAD OK"));
  node.serve();
  const std::string differs = "Configuration differs from other nodes";
  REQUIRE(eventually([&] { return test::http_ask(node.health, "GET /").body == differs + "\n"; }));
  CHECK_THAT(node.run({"check", "--check"}).out, Contains("XROAD CRITICAL - " + differs));
}

TEST_CASE("xroad-companion: the admin port on an address of this host serves its own verbs",
          "[companion]") {
  const std::string own = own_address();
  if (own.empty()) {
    WARN("not checked: this host has no address beside the loopback");
    return;
  }
  Node node;
  node.configure(std::string(kOff) + "[admin]\ninterface = " + own + "\n");
  const Daemon daemon(node.line({"serve"}), node.tree.path_of("log"));
  REQUIRE(eventually([&] {
    return node.run({"maintenance", "on"}).out == "Maintenance mode set: false => true\n";
  }));
  CHECK_THAT(node.run({"status"}).out, Contains("no work: in maintenance mode"));
}

TEST_CASE("xroad-companion: each wrong setting is one line with its place, and exit code usage",
          "[companion]") {
  Node node;
  for (const SettingRow& row : setting_table()) {
    if (accepted_by(row).empty()) continue;
    const std::string line = std::string(row.key) + " = no value of any kind /";
    node.tree.file("companion.ini", "; first\n[" + std::string(row.section) + "]\n" + line + "\n");
    INFO(line);
    const Outcome outcome = node.run({"serve"});
    const std::string wanted = "xroad-companion: " + node.tree.path_of("companion.ini") +
                               ":3: " + line + ": give " + accepted_by(row);
    CHECK_THAT(outcome.end, Contains(wanted));
    CHECK_THAT(outcome.end, Contains("status 1"));
    CHECK(outcome.out.empty());
  }
  for (const char* wrong : {"[admin]\nports = 1\n", "[admin\nport = 1\n", "port = 1\n"}) {
    INFO(wrong);
    node.tree.file("companion.ini", wrong);
    const Outcome outcome = node.run({"serve"});
    CHECK_THAT(outcome.end,
               Contains("xroad-companion: " + node.tree.path_of("companion.ini") + ":"));
    CHECK_THAT(outcome.end, Contains("status 1"));
  }
}

TEST_CASE("xroad-companion: maintenance never speaks to somebody else's port", "[companion]") {
  Node node;
  CHECK_THAT(node.run({"maintenance", "on"}).end, Contains("Connection refused"));
  // xroad-proxy's own admin port knows /maintenance, but not our status.
  test::StageClock clock;
  Fd listening = test::open_port();
  node.admin = bound_port(listening.get());
  node.configure("");
  int changes = 0;
  unsigned status = 404;
  const HttpServer proxy(
      std::move(listening),
      [&](const HttpRequest& request) {
        if (request.path != "/maintenance") return HttpAnswer{status};
        ++changes;
        return HttpAnswer{200, "Maintenance mode set: false => true\n"};
      },
      clock);
  CHECK_THAT(node.run({"maintenance", "on"}).end, Contains("perhaps xroad-proxy"));
  status = 403;
  CHECK_THAT(node.run({"maintenance", "on"}).end, Contains("answered 403"));
  CHECK(changes == 0);
}
