// SPDX-License-Identifier: MIT
// The doctor on ports: who answers, and whether it is the one that should.
#include "companion/doctor/health.h"

#include "companion/doctor/report.h"
#include "companion/status_report.h"
#include "companion/xroad_ini.h"
#include "tests/companion/doctor_node.h"
#include "tests/support/catch.h"
#include "tests/support/http_peer.h"
#include "tests/support/silent.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr const char* kOwn = "etc/xroad-sync/companion.ini";

std::string port(std::uint16_t number) { return std::to_string(number); }

// Ports of xroad-proxy and of the companion; 1 is a port where nobody listens.
struct Node {
  DoctorNode node;
  SteadyClock clock;
  DoctorPlaces places = node.places();

  void xroads(std::uint16_t health) {
    node.local_ini("health-check-interface=127.0.0.1\nhealth-check-port=" + port(health) + "\n");
  }
  void ours(std::uint16_t admin, std::uint16_t proxy_admin, std::uint16_t health = 0) {
    node.tree.file(kOwn, "[admin]\nport=" + port(admin) +
                             "\n[memory]\nproxy-admin-port=" + port(proxy_admin) + "\n" +
                             (health == 0 ? std::string()
                                          : "[proxy]\nhealth-check-port=" + port(health) + "\n"));
  }
  Finding ask(const std::string& point) {
    const Ini xroad = load_xroad_ini(places.config.xroad);
    const NodeSettings settings = load_node_settings(places.config);
    Accounts accounts(places.root, clock);
    const Findings findings =
        look_at_health({places, settings, xroad, NodeType::Secondary, accounts, clock});
    INFO(finding_text(find(findings, point)));
    return find(findings, point);
  }
};

std::string companions_words() {
  StatusReport report;
  report.role = "secondary";
  report.version = "9.9";
  return report_json(report);
}

}  // namespace

TEST_CASE("doctor: a node without the companion is a node of the guide", "[doctor]") {
  Node node;
  const HttpPeer health{""};
  node.xroads(health.port());
  CHECK(node.ask("proxy's health").state == PointState::Fine);
  CHECK_THAT(node.ask("proxy's health").found, Contains("answers 200"));
  CHECK(node.ask("our health").state == PointState::NotHere);
  CHECK(node.ask("companion").state == PointState::NotHere);
  CHECK_THAT(node.ask("health port").found,
             Contains("127.0.0.1 port " + port(health.port())) && Contains("local.ini:3"));
  node.node.local_ini("");
  CHECK(node.ask("health port").fault == Fault::Usage);
  CHECK_THAT(node.ask("health port").mend, Contains("health-check-port=5588 below [proxy]"));
  CHECK(node.ask("proxy's health").state == PointState::NotHere);
  // Where the companion is wanted, that would be a port for two.
  node.ours(1, 1);
  CHECK_THAT(node.ask("health port").mend,
             Contains("health-check-port = 5598 below [proxy]") && Contains(kOwn));
}

TEST_CASE("doctor: the health port says what it says", "[doctor]") {
  Node node;
  const HttpPeer ill(HttpPlan{http_reply(500, "Global configuration is expired\n")});
  node.xroads(ill.port());
  CHECK(node.ask("proxy's health").state == PointState::Wrong);
  CHECK_THAT(node.ask("proxy's health").found,
             Contains("answers 500: Global configuration is expired"));
  const HttpPeer resting(
      HttpPlan{http_reply(503, "Health check interface is in maintenance mode.")});
  node.xroads(resting.port());
  CHECK(node.ask("proxy's health").state == PointState::Fine);
  CHECK_THAT(node.ask("proxy's health").found, Contains("maintenance mode"));
  node.xroads(1);
  CHECK(node.ask("proxy's health").fault == Fault::Network);
  CHECK(node.ask("proxy's health").mend == "systemctl restart xroad-proxy");
  const SilentPort silent;
  node.xroads(silent.port());
  node.places.ask_limit = 100ms;
  CHECK(node.ask("proxy's health").fault == Fault::Timeout);
}

TEST_CASE("doctor: the companion's ports are told from xroad-proxy's", "[doctor]") {
  Node node;
  const HttpPeer companion{companions_words()};
  const HttpPeer proxy_admin(HttpPlan{http_reply(404, "")});
  const HttpPeer health{""};
  const HttpPeer our_health{""};
  node.xroads(health.port());
  node.ours(companion.port(), proxy_admin.port(), our_health.port());
  CHECK_THAT(node.ask("companion").found, Contains("9.9 answers on 127.0.0.1 port "));
  for (const char* point : {"companion", "proxy's health", "our health", "proxy's admin"}) {
    CHECK(node.ask(point).state == PointState::Fine);
  }
  // It has what xroad-proxy needs.
  node.ours(companion.port(), companion.port());
  CHECK(node.ask("proxy's admin").fault == Fault::Start);
  CHECK_THAT(node.ask("proxy's admin").mend, Contains("below [admin] of "));
  CHECK_THAT(node.ask("proxy's health").found, Contains("xroad-companion has its port"));
  // xroad-proxy has what it needs.
  node.ours(proxy_admin.port(), proxy_admin.port(), our_health.port());
  CHECK_THAT(node.ask("companion").found, Contains("another program, perhaps xroad-proxy, has"));
  CHECK(node.ask("our health").state == PointState::Unknown);
  node.node.tree.remove(kOwn);
  CHECK(node.ask("companion").state == PointState::NotHere);
  // It does not run though somebody wants it.
  node.ours(1, proxy_admin.port());
  CHECK(node.ask("companion").fault == Fault::Network);
  CHECK(node.ask("companion").mend == "systemctl enable --now xroad-companion.service");
}
