// SPDX-License-Identifier: MIT
// `xroad-companion doctor` as an operator meets it: a whole healthy secondary, then each thing
// wrong, one at a time.
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "base/io.h"
#include "companion/listen.h"
#include "tests/companion/doctor_node.h"
#include "tests/support/catch.h"
#include "tests/support/daemon.h"
#include "tests/support/free_port.h"
#include "tests/support/http_peer.h"
#include "tests/support/postgres.h"
#include "tests/support/program.h"
#include "tests/support/raw_client.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

// Everything real but xroad-proxy: a standby, the companion at work, and two ports that answer.
class Secondary {
 public:
  Secondary() : health_(free_port()), admin_(free_port()) {
    primary_.sql("create role serverconf login password 's3cret'");
    primary_.sql("create database serverconf");
    standby_ = primary_.make_standby();
    restore();
  }

  // All is well again.
  void restore() {
    node.type("slave").groups().account().packages();
    node.local_ini(
        "server-support-clients-pooled-connections=false\n"
        "health-check-interface=127.0.0.1\nhealth-check-port=" +
        std::to_string(proxy_health_.port()) + "\n");
    node.tree.mode("etc/xroad/conf.d/node.ini", 0640);
    node.tree.file("etc/xroad-sync/companion.ini",
                   "[proxy]\nhealth-check-port=" + std::to_string(health_) +
                       "\n[admin]\nport=" + std::to_string(admin_) +
                       "\n[memory]\nproxy-admin-port=" + std::to_string(proxy_admin_.port()) +
                       "\n[checks]\nglobal-conf=false\nauth-key=false\nserverconf-db=false\n");
    database(standby_->port());
  }

  void database(std::uint16_t port, std::uint16_t messagelog = 5432,
                const std::string& password = "s3cret") {
    std::string lines;
    for (const auto& [name, at] :
         {std::pair<std::string, std::uint16_t>{"serverconf", port}, {"messagelog", messagelog}}) {
      const std::string prefix = name + ".hibernate.connection.";
      lines += prefix + "url=jdbc:postgresql://127.0.0.1:" + std::to_string(at) + "/" + name +
               "\n" + prefix + "username=" + name + "\n" + prefix + "password=" + password + "\n";
    }
    node.tree.file("etc/xroad/db.properties", lines, 0640);
  }

  void start() {
    companion_ = std::make_unique<Daemon>(
        std::vector<std::string>{XS_COMPANION, "--config",
                                 node.tree.path_of("etc/xroad-sync/companion.ini"), "--xroad",
                                 node.tree.path_of("etc/xroad"), "serve"},
        node.tree.path_of("log"));
    REQUIRE(eventually(std::chrono::seconds(20), [this] {
      try {
        return http_ask(health_, "GET /").status() == "HTTP/1.1 200 OK";
      } catch (const std::runtime_error&) {
        return false;
      }
    }));
    REQUIRE(standby_->says("select count(*) from pg_stat_wal_receiver where status = 'streaming'",
                           "1"));
  }
  void stop() { companion_.reset(); }

  Outcome doctor(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> line = {XS_COMPANION, "doctor", "--root", node.root()};
    line.insert(line.end(), more.begin(), more.end());
    return run_program(line);
  }

  // What differs from run to run has a name.
  std::string named(std::string text) const {
    const auto swap = [&text](const std::string& what, const std::string& name) {
      for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos;) {
        text.replace(at, what.size(), name);
        at += name.size();
      }
    };
    swap(node.root(), "");
    swap(std::to_string(proxy_health_.port()), "5588");
    swap(std::to_string(proxy_admin_.port()), "5566");
    swap(std::to_string(health_), "5591");
    swap(std::to_string(admin_), "5590");
    swap(std::to_string(standby_->port()), "5433");
    text = std::regex_replace(text, std::regex("PostgreSQL [0-9.]+"), "PostgreSQL 15.0");
    text = std::regex_replace(text, std::regex("in [0-9]+ ms"), "in 7 ms");
    return std::regex_replace(text, std::regex("0\\.[0-9]+\\.[0-9]+( answers|\n)"), "1.2.3$1");
  }

  DoctorNode node;
  const Postgres& primary() const { return primary_; }
  const Postgres& standby() const { return *standby_; }

 private:
  Postgres primary_;
  std::unique_ptr<Postgres> standby_;
  HttpPeer proxy_health_{""};
  HttpPeer proxy_admin_{HttpPlan{http_reply(404, "")}};
  std::uint16_t health_, admin_;
  std::unique_ptr<Daemon> companion_;
};

bool ready() {
  const bool dpkg = ::access("/usr/bin/dpkg-query", X_OK) == 0;
  if (!dpkg) WARN("there is no dpkg-query");
  return !without_postgres() && dpkg;
}

std::size_t crosses(const std::string& out) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = out.find("\u2717", at)) != std::string::npos; ++at) ++count;
  return count;
}

struct Case {
  std::string point;
  std::string mend;
  int code;
  std::function<void(Secondary&)> spoil;
  std::function<void(Secondary&)> restore = {};
};

}  // namespace

TEST_CASE("xroad-companion doctor: a healthy secondary, to the byte", "[doctor][database]") {
  if (!ready()) return;
  Secondary secondary;
  secondary.start();
  const Outcome outcome = secondary.doctor();
  CHECK(outcome.end == "it ended with status 0");  // and nothing on stderr
  CHECK(secondary.named(outcome.out) ==
        read_file(XS_SOURCE_DIR "/tests/companion/golden/doctor-secondary.txt", 1U << 16));

  const auto json = nlohmann::json::parse(secondary.doctor({"--json"}).out);
  CHECK(json["wrong"] == 0);
  CHECK(json["unknown"] == 0);
  CHECK(json["exit"] == 0);
  CHECK(json["points"].size() > 25);
  CHECK(json["points"][1]["topic"] == "node");
  CHECK(json["points"][1]["point"] == "node type");
  CHECK(json["points"][1]["state"] == "fine");
}

TEST_CASE("xroad-companion doctor: each thing wrong is one cross, with its mend and its code",
          "[doctor][database]") {
  if (!ready()) return;
  Secondary secondary;
  secondary.start();
  const auto pooled = "server-support-clients-pooled-connections=false\n";
  const std::vector<Case> cases = {
      {"node type", "printf '[node]", 46, [](Secondary& s) { s.node.type("salve"); }},
      {"node.ini", "chmod 640", 43,
       [](Secondary& s) { s.node.tree.mode("etc/xroad/conf.d/node.ini", 0644); }},
      {"kept connections", "below [proxy] of /etc/xroad/conf.d/local.ini", 1,
       [](Secondary& s) {
         s.node.tree.file("etc/xroad/conf.d/local.ini",
                          std::regex_replace(s.node.tree.read("etc/xroad/conf.d/local.ini"),
                                             std::regex("=false"), "=true"));
       }},
      {"autologin PIN", "chmod 640", 43,
       [](Secondary& s) { s.node.tree.file("etc/xroad/autologin", "1", 0644); },
       [](Secondary& s) { s.node.tree.remove("etc/xroad/autologin"); }},
      {"db.properties", "chmod 640", 43,
       [](Secondary& s) { s.node.tree.mode("etc/xroad/db.properties", 0644); }},
      {"own instance", "5433/serverconf", 43,
       [](Secondary& s) { s.database(s.standby().port(), s.standby().port()); }},
      {"connection", "the primary's serverconf.hibernate.connection.password", 10,
       [](Secondary& s) { s.database(s.standby().port(), 5432, "wr0ng"); }},
      {"database role", "replication setup standby", 46,
       [](Secondary& s) { s.database(s.primary().port()); }},
      {"sync service", "systemctl daemon-reload", 44,
       [](Secondary& s) { s.node.unit("etc/systemd/system/xroad-sync.service", "/usr/bin/rsync"); },
       [](Secondary& s) { s.node.tree.remove("etc/systemd/system/xroad-sync.service"); }},
      {"sync timer", "systemctl enable --now xroad-sync.timer", 44,
       [](Secondary& s) { s.node.enable("xroad-sync.timer", "timers.target", false); },
       [](Secondary& s) { s.node.enable("xroad-sync.timer", "timers.target"); }},
      {"sync at boot", "systemctl enable xroad-sync.service", 44,
       [](Secondary& s) { s.node.enable("xroad-sync.service", "multi-user.target", false); },
       [](Secondary& s) { s.node.enable("xroad-sync.service", "multi-user.target"); }},
      {"proxy's health", "systemctl restart xroad-proxy", 10,
       [&](Secondary& s) {
         s.node.local_ini(pooled + std::string("health-check-interface=127.0.0.1\n"
                                               "health-check-port=1\n"));
       }},
      {"removed groups", "groupdel xroad-system-administrator", 43,
       [](Secondary& s) { s.node.groups("xroad-system-administrator:x:9:anna\n"); }},
      {"PIN group", "groupadd --system xroad-security-officer", 43,
       [](Secondary& s) {
         s.node.tree.file("etc/group", std::regex_replace(s.node.tree.read("etc/group"),
                                                          std::regex("security-officer"), "x"));
       }},
      {"X-Road", "finish the upgrade", 43, [](Secondary& s) { s.node.packages("7.4.1"); }},
      {"settings", "correct that line", 1,
       [](Secondary& s) {
         s.node.tree.file("etc/xroad-sync/companion.ini",
                          s.node.tree.read("etc/xroad-sync/companion.ini") + "dance=1\n");
       }},
  };
  for (const Case& one : cases) {
    INFO(one.point);
    one.spoil(secondary);
    const Outcome outcome = secondary.doctor();
    INFO(outcome.out);
    CHECK_THAT(outcome.out, Contains("\u2717  " + one.point + " "));
    CHECK_THAT(outcome.out, Contains(one.mend) && !Contains("wr0ng") && !Contains("s3cret"));
    CHECK_THAT(outcome.end, Contains("status " + std::to_string(one.code)));
    // A type that nobody knows and settings that are not read leave other points open, not wrong.
    CHECK((crosses(outcome.out) == 1 || one.point == "settings"));
    if (one.restore) one.restore(secondary);
    secondary.restore();
  }
  CHECK(secondary.doctor().end == "it ended with status 0");

  // The companion itself.
  secondary.stop();
  const Outcome outcome = secondary.doctor({"--json"});
  const auto json = nlohmann::json::parse(outcome.out);
  CHECK(json["wrong"] == 1);
  CHECK(json["exit"] == 10);
  CHECK_THAT(outcome.end, Contains("status 10"));
}

TEST_CASE("xroad-companion doctor: it changes nothing, and looks at this system, too", "[doctor]") {
  const DoctorNode node;
  const struct stat before = node.tree.stat("etc/xroad");
  run_program({XS_COMPANION, "doctor", "--root", node.root() + "/"});
  CHECK(node.tree.stat("etc/xroad").st_mtim.tv_nsec == before.st_mtim.tv_nsec);
  CHECK_FALSE(node.tree.exists("etc/xroad-sync"));
  // This host is no security server, but the list is whole and the answer is there.
  const Outcome here = run_program({XS_COMPANION, "doctor"});
  CHECK_THAT(here.out, Contains("node type") && Contains("synchronised") && Contains("peers\n"));
}
