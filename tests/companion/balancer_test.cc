// SPDX-License-Identifier: MIT
// Load balancers as the README has them, in front of three nodes.
#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <functional>
#include <set>
#include <sstream>

#include "companion/http_server.h"
#include "companion/node_settings.h"
#include "companion/wall.h"
#include "tests/companion/node.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/haproxy.h"
#include "tests/support/markdown.h"

using namespace xs;
using namespace std::chrono_literals;
using Catch::Contains;
using test::Haproxy;
using test::RawClient;

namespace {

constexpr const char* kMaintenance = "Health check interface is in maintenance mode.";

std::string snippet(const std::string& language) {
  const std::string readme = test::document("README.md");
  const std::string opening = "\n```" + language + "\n";
  const std::size_t start = readme.find(opening);
  REQUIRE(start != std::string::npos);
  const std::size_t from = start + opening.size();
  return readme.substr(from, readme.find("```", from) - from);
}

// Replaces every `from`; there must be one.
std::string with(std::string text, const std::string& from, const std::string& to) {
  std::size_t at = text.find(from);
  INFO(from);
  REQUIRE(at != std::string::npos);
  for (; at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// A node with what stands behind its X-Road port: somebody who says whose it is.
class Ss : public test::Node {
 public:
  Ss(std::string its_name, const std::string& address, std::uint16_t health_port,
     std::uint16_t agent_port, std::uint16_t messages)
      : Node(address),
        name(std::move(its_name)),
        xroad_(
            listen_on({address, messages, "test"}, "port", ""),
            [this](const HttpRequest&) {
              return HttpAnswer{200, name};
            },
            clock_) {
    health = health_port;
    agent = agent_port;
    tree.file("globalconf/instance-identifier", "DEV");
    for (const char* part : {"shared-params.xml", "private-params.xml"}) {
      tree.file(std::string("globalconf/DEV/") + part, "<conf/>");
    }
    global_conf_lasts(3600);
    configure("[common]\nconfiguration-path = " + tree.path_of("globalconf") +
              "\n[checks]\nauth-key = false\nserverconf-db = false\n");
  }
  void global_conf_lasts(std::int64_t seconds) {
    const std::time_t end = wall_now() + seconds;
    std::tm utc{};
    ::gmtime_r(&end, &utc);
    std::array<char, 32> date{};
    std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
    for (const char* part : {"shared-params.xml", "private-params.xml"}) {
      tree.file(std::string("globalconf/DEV/") + part + ".metadata",
                std::string(R"({"contentIdentifier":"X","instanceIdentifier":"DEV",)") +
                    R"("expirationDate":")" + date.data() + R"(","configurationVersion":"6"})");
    }
  }

  std::string name;

 private:
  SteadyClock clock_;
  HttpServer xroad_;
};

// Three nodes, and haproxy in front: as the README has it, and with the agent's words left out.
class Cluster {
 public:
  Cluster() {
    const std::uint16_t health = test::free_port();
    const std::uint16_t agent = test::free_port();
    for (int i = 0; i < 3; ++i) {
      const std::string name = "ss" + std::to_string(i + 1);
      const std::string address = "127.0.0.1" + std::to_string(i + 1);
      nodes_.push_back(std::make_unique<Ss>(name, address, health, agent, messages_));
      nodes_.back()->serve();
    }
    // By way of letters, because a port of ours may look like one of X-Road's.
    std::string text = snippet("haproxy");
    text = with(text, ":5500", ":M");
    text = with(text, ":5577", ":O");
    text = with(text, "port 5598", "port H");
    std::string without_agent = with(text, " agent-check agent-port 5589 agent-inter 2s", "");
    text = with(text, "agent-port 5589", "agent-port " + std::to_string(agent));
    text = with(text, "192.0.2.10", "127.0.0.1");
    without_agent = with(without_agent, "192.0.2.10", "127.0.0.2");
    for (std::string* one : {&text, &without_agent}) {
      *one = with(*one, "192.0.2.1", "127.0.0.1");
      *one = with(*one, ":M", ":" + std::to_string(messages_));
      *one = with(*one, ":O", ":" + std::to_string(test::free_port()));
      *one = with(*one, "port H", "port " + std::to_string(health));
    }
    agreed_ = std::make_unique<Haproxy>(text);
    asked_ = std::make_unique<Haproxy>(without_agent);
    for (const auto& node : nodes_) {
      agent_says(*node, "UP", "via agent : up");
      health_says(*node, "UP", "L7OK", "200");
    }
    CHECK(served() == Names{"ss1", "ss2", "ss3"});
  }

  Ss& node(std::size_t i) { return *nodes_.at(i); }
  Ss& node_named(const std::string& name) {
    for (const auto& node : nodes_) {
      if (node->name == name) return *node;
    }
    throw std::runtime_error("nobody is called '" + name + "'");
  }
  std::uint16_t messages() const { return messages_; }

  // What the haproxy of the README comes to say of a node.
  void agent_says(const Ss& node, const std::string& status, const std::string& words = "") const {
    becomes(*agreed_, node, status + ", agent " + words, [&](Row& row) {
      return row["status"] == status && row["last_agt"].find(words) != std::string::npos;
    });
  }
  // What the one comes to say that has no agent to ask.
  void health_says(const Ss& node, const std::string& status, const std::string& check,
                   const std::string& code) const {
    becomes(*asked_, node, status + ", check " + check + "/" + code, [&](Row& row) {
      return row["status"] == status && row["check_status"] == check && row["check_code"] == code;
    });
  }
  // The one of the README, of its check alone.
  void goes_down(const Ss& node, const std::string& check, const std::string& code = "") const {
    becomes(*agreed_, node, "DOWN, check " + check + "/" + code, [&](Row& row) {
      return row["status"] == "DOWN" && row["check_status"] == check && row["check_code"] == code;
    });
    CHECK(agreed_->server("xroad-ocsp", node.name)["status"] == "DOWN");
  }
  // DRAIN passes: two checks that hear 503 make it DOWN.
  void drains(const Ss& node) const {
    becomes(*agreed_, node, "DRAIN", [&](Row& row) {
      return row["status"] == "DRAIN" ||
             agreed_->log().find("xroad-messages/" + node.name + " remains in forced drain") !=
                 std::string::npos;
    });
  }

  using Names = std::set<std::string>;
  // Who answers new clients.
  Names served() const {
    Names names;
    for (int i = 0; i < 12; ++i) names.insert(test::http_ask(messages_, "GET /").body);
    return names;
  }

 private:
  using Row = std::map<std::string, std::string>;
  static void becomes(const Haproxy& haproxy, const Ss& node, const std::string& words,
                      const std::function<bool(Row&)>& wanted) {
    Row row;
    const bool came = test::eventually(60s, [&] {
      row = haproxy.server("xroad-messages", node.name);
      return wanted(row);
    });
    INFO(node.name << " does not become " << words << " but " << row["status"] << ", check "
                   << row["check_status"] << "/" << row["check_code"] << " " << row["last_chk"]
                   << ", agent " << row["agent_status"] << " " << row["last_agt"] << "\n"
                   << haproxy.log());
    REQUIRE(came);
  }

  std::uint16_t messages_ = test::free_port();
  std::vector<std::unique_ptr<Ss>> nodes_;
  std::unique_ptr<Haproxy> agreed_, asked_;
};

using Names = Cluster::Names;

std::string ask_on(RawClient& client) {
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto whole = [](const std::string& all) {
    const std::size_t end = all.find("\r\n\r\n");
    return end != std::string::npos && all.size() >= end + 4 + 3;  // "ss1"
  };
  return test::split_reply(client.read_until(whole)).body;
}

// What a load balancer of another make hears.
void answers(const Ss& node, const std::string& status, const std::string& body) {
  const test::Reply reply = test::http_ask(node.host, node.health, "GET /");
  CHECK(reply.status() == "HTTP/1.1 " + status);
  CHECK(reply.body == body);
}

// One that keepalived could use; empty: none.
std::string some_interface() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const ifaddrs* one = all.get(); one != nullptr; one = one->ifa_next) {
    constexpr unsigned kWanted = IFF_UP | IFF_MULTICAST;
    if ((one->ifa_flags & (kWanted | IFF_LOOPBACK)) == kWanted) return one->ifa_name;
  }
  return {};
}

}  // namespace

TEST_CASE("haproxy: the README's configuration is valid as it stands", "[balancer]") {
  const test::TempDir dir;
  const auto check = [&](const std::string& text) {
    test::run({"/usr/sbin/haproxy", "-c", "-f", dir.write("haproxy.cfg", text)});
  };
  CHECK_NOTHROW(check(snippet("haproxy")));
  CHECK_THROWS(check(with(snippet("haproxy"), "agent-port", "agent-door")));
}

TEST_CASE("haproxy: the README's configuration asks the ports that its companion.ini gives",
          "[balancer]") {
  const std::string readme = test::document("README.md");
  const std::string opening = "    printf '[proxy]";
  const std::size_t from = readme.find(opening) + opening.size() - std::string("[proxy]").size();
  REQUIRE(from < readme.size());
  const std::size_t end = readme.find("' > /etc/xroad-sync/companion.ini", from);
  REQUIRE(end < readme.find('\n', from));
  test::TempTree tree;
  tree.file("companion.ini", with(readme.substr(from, end - from), "\\n", "\n"));
  // X-Road's proxy has these two.
  tree.file("xroad/conf.d/proxy.ini", "[proxy]\n");
  tree.file("xroad/conf.d/local.ini", "[proxy]\nhealth-check-port = 5588\n");
  const NodeSettings settings =
      load_node_settings({tree.path_of("xroad"), tree.path_of("companion.ini"), true});
  CHECK(settings.health.port != 5588);
  CHECK(settings.admin.port != 5566);
  const std::string health = std::to_string(settings.health.port);
  const std::string agent = std::to_string(settings.agent.port);
  CHECK_THAT(snippet("haproxy"), Contains(" check port " + health + " inter"));
  CHECK_THAT(snippet("haproxy"), Contains(" agent-port " + agent + " agent-inter"));
  CHECK_THAT(readme, Contains("on its health port (" + health + ")") &&
                         Contains("Only the balancer should reach " + health + " and " + agent));
}

TEST_CASE("haproxy: maintenance takes a node out at once, and lets it back in", "[balancer]") {
  Cluster cluster;
  RawClient session(cluster.messages());
  Ss& away = cluster.node_named(ask_on(session));
  Names others{"ss1", "ss2", "ss3"};
  others.erase(away.name);
  Ss& drained = cluster.node_named(*others.begin());

  CHECK(away.run({"maintenance", "on"}).out == "Maintenance mode set: false => true\n");
  cluster.agent_says(away, "MAINT");
  cluster.health_says(away, "DOWN", "L7STS", "503");
  answers(away, "503 Service Unavailable", kMaintenance);
  CHECK(cluster.served() == others);
  CHECK(ask_on(session) == away.name);  // it may end by itself

  drained.run({"maintenance", "on", "--drain"});
  cluster.drains(drained);
  cluster.goes_down(drained, "L7STS", "503");
  answers(drained, "503 Service Unavailable", kMaintenance);
  others.erase(drained.name);
  CHECK(cluster.served() == others);

  away.run({"maintenance", "off"});
  drained.run({"maintenance", "off"});
  for (const Ss* back : {&away, &drained}) {
    cluster.agent_says(*back, "UP", "via agent : up");
    cluster.health_says(*back, "UP", "L7OK", "200");
    answers(*back, "200 OK", "");
  }
  CHECK(cluster.served() == Names{"ss1", "ss2", "ss3"});
}

TEST_CASE("haproxy: a node that cannot work, or dies, gets nothing until it can", "[balancer]") {
  Cluster cluster;
  Ss& expired = cluster.node(0);
  Ss& killed = cluster.node(1);

  expired.global_conf_lasts(-1);
  cluster.health_says(expired, "DOWN", "L7STS", "500");
  cluster.agent_says(expired, "DOWN", "down#Global_configuration_is_expired");
  answers(expired, "500 Internal Server Error", "Global configuration is expired\n");
  CHECK(cluster.served() == Names{"ss2", "ss3"});

  killed.kill();
  cluster.goes_down(killed, "L4CON");
  CHECK(cluster.served() == Names{"ss3"});
  killed.serve();
  cluster.agent_says(killed, "UP", "via agent : up");
  CHECK(cluster.served() == Names{"ss2", "ss3"});

  // A restart ends maintenance mode, and haproxy must not stay with what it heard last.
  killed.run({"maintenance", "on"});
  cluster.agent_says(killed, "MAINT");
  killed.kill();
  killed.tree.remove("globalconf/DEV/private-params.xml.metadata");
  killed.serve();
  cluster.agent_says(killed, "DOWN", "down#Global_configuration_is_expired");
  CHECK(cluster.served() == Names{"ss3"});

  // X-Road keeps a failure for 30 s.
  expired.global_conf_lasts(3600);
  killed.global_conf_lasts(3600);
  for (const Ss* back : {&expired, &killed}) {
    cluster.agent_says(*back, "UP", "via agent : up");
    answers(*back, "200 OK", "");
  }
  CHECK(cluster.served() == Names{"ss1", "ss2", "ss3"});
}

TEST_CASE("keepalived: the README's configuration is valid", "[balancer]") {
  const std::string program = "/usr/sbin/keepalived";
  const std::string interface = some_interface();
  if (::access(program.c_str(), X_OK) != 0 || ::geteuid() != 0 || interface.empty()) {
    WARN("not checked: needs keepalived, root and an interface beside the loopback");
    return;
  }
  const test::TempDir dir;
  const auto check = [&](const std::string& text) {
    test::run({program, "-t", "-f", dir.write("keepalived.conf", text)});
  };
  std::string text = with(snippet("keepalived"), "eth0", interface);
  text = with(text, "script_user xroad", "script_user root");
  text = with(text, "/usr/bin/xroad-companion", "/bin/true");
  CHECK_NOTHROW(check(text));
  CHECK_THROWS(check(with(text, "vrrp_script xroad", "vrrp_script other")));
}

TEST_CASE("keepalived: its script ends well on a node that can work, and only there",
          "[balancer]") {
  const std::string text = snippet("keepalived");
  const std::string opening = "script \"/usr/bin/xroad-companion ";
  const std::size_t at = text.find(opening);
  REQUIRE(at != std::string::npos);
  const std::size_t from = at + opening.size();
  std::istringstream written(text.substr(from, text.find('"', from) - from));
  std::vector<std::string> words;
  for (std::string word; written >> word;) words.push_back(word);

  Ss node("ss1", "127.0.0.1", test::free_port(), test::free_port(), test::free_port());
  CHECK_THAT(node.run(words).end, Contains("status 0"));
  node.global_conf_lasts(-1);
  CHECK_THAT(node.run(words).end, Contains("status 2"));
  node.global_conf_lasts(3600);
  node.serve();
  CHECK_THAT(node.run(words).end, Contains("status 0"));
  node.run({"maintenance", "on"});
  CHECK_THAT(node.run(words).end, Contains("status 1"));
}
