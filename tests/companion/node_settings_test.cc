// SPDX-License-Identifier: MIT
#include "companion/node_settings.h"

#include <set>

#include "companion/make_checks.h"
#include "companion/service.h"
#include "tests/support/catch.h"
#include "tests/support/silent.h"
#include "tests/support/temp_tree.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::TempTree;

namespace {

ConfigPlaces places(const TempTree& tree) {
  return {tree.path_of("xroad"), tree.path_of("companion.ini"), false};
}

NodeSettings load(const TempTree& tree) { return load_node_settings(places(tree)); }

// The text of the Usage error.
std::string refusal(const TempTree& tree) {
  const auto error = test::thrown_by([&] { load(tree); });
  if (!error) return "not refused";
  return error->fault() == Fault::Usage ? error->text() : "of another class: " + error->text();
}

std::string words(const NodeSettings& settings) {
  std::string out;
  for (const auto& check : make_checks(settings)) out += check->word() + " ";
  return out;
}

}  // namespace

TEST_CASE("node_settings: without any file the defaults are X-Road's", "[companion]") {
  const TempTree tree;
  const NodeSettings settings = load(tree);
  CHECK(settings.health.host == "0.0.0.0");
  CHECK(settings.health.port == 0);
  CHECK(settings.admin.host == "127.0.0.1");
  CHECK(settings.admin.port == 5566);
  CHECK(settings.agent.port == 0);
  CHECK(settings.role == "standalone");
  CHECK_FALSE(settings.maintenance_survives);
  CHECK(words(settings) == "global-conf auth-key serverconf-db ");
}

TEST_CASE("node_settings: X-Road's files win in X-Road's order, ours over all", "[companion]") {
  TempTree tree;
  // From the weakest to the strongest.
  const std::vector<std::string> files = {
      "xroad/conf.d/common.ini",     "xroad/conf.d/proxy.ini",
      "xroad/conf.d/signer.ini",     "xroad/conf.d/addons/a.ini",
      "xroad/conf.d/addons/b.ini",   "xroad/conf.d/override-a.ini",
      "xroad/conf.d/override-b.ini", "xroad/conf.d/local.ini",
      "xroad/conf.d/node.ini",       "companion.ini"};
  unsigned port = 6000;
  for (const std::string& file : files) {
    tree.file(file, "[proxy]\n\nhealth-check-port = " + std::to_string(++port) + "\n");
    INFO(file);
    const NodeSettings settings = load(tree);
    CHECK(settings.health.port == port);
    CHECK(settings.health.where == tree.path_of(file) + ":3");
  }
  // A file of another name is not X-Road's.
  tree.file("xroad/conf.d/zzz.ini", "[proxy]\nhealth-check-port = 1\n");
  CHECK(load(tree).health.port == port);
}

TEST_CASE("node_settings: the proxy's own port is what X-Road's files say", "[companion]") {
  TempTree tree;
  tree.file("xroad/conf.d/local.ini",
            "[proxy]\nhealth-check-port=5588\nhealth-check-interface=0.0.0.0\n"
            "memory-usage-threshold=90\nhsm-health-check-enabled=true\n");
  tree.file("companion.ini",
            "[proxy]\nhealth-check-port = 5598\n[checks]\nproxy-answers = true\nsync-age=true\n"
            "replication=true\nsign-keys=true\n");
  tree.file("xroad/conf.d/node.ini", "[node]\ntype=slave\n");
  const NodeSettings settings = load(tree);
  CHECK(settings.health.port == 5598);
  CHECK(settings.proxy_answers.proxy_health.host == "127.0.0.1");
  CHECK(settings.proxy_answers.proxy_health.port == 5588);
  CHECK(words(settings) ==
        "hsm global-conf auth-key serverconf-db memory proxy-answers sync-age replication "
        "sign-keys ");
}

TEST_CASE("node_settings: a proxy that is installed is asked, unless somebody says no",
          "[companion]") {
  TempTree tree;
  const std::string xroads = "global-conf auth-key serverconf-db ";
  tree.file("xroad/conf.d/proxy.ini", "[proxy]\n");
  CHECK(words(load(tree)) == xroads + "proxy-alive ");
  // Its health port as well, where it has one that is not to be ours.
  tree.file("xroad/conf.d/local.ini", "[proxy]\nhealth-check-port=5588\n");
  CHECK(words(load(tree)) == xroads + "proxy-alive ");
  tree.file("companion.ini", "[proxy]\nhealth-check-port=5598\n");
  CHECK(words(load(tree)) == xroads + "proxy-alive proxy-answers ");
  tree.file("companion.ini",
            "[proxy]\nhealth-check-port=5598\n[checks]\nproxy-alive=false\n"
            "proxy-answers=false\n");
  CHECK(words(load(tree)) == xroads);
}

TEST_CASE("node_settings: the role is node.ini's, a mistyped one is no role", "[companion]") {
  TempTree tree;
  for (const auto& [type, role] : {std::pair{"master", "primary"},
                                   {"SLAVE", "secondary"},
                                   {"Standalone", "standalone"},
                                   {"salve", "unknown"},
                                   {"", "unknown"}}) {
    tree.file("xroad/conf.d/node.ini", std::string("[node]\ntype=") + type + "\n");
    CHECK(load(tree).role == role);
  }
}

TEST_CASE("node_settings: what only a secondary can be asked is left out elsewhere, and said",
          "[companion]") {
  TempTree tree;
  tree.file("companion.ini", "[checks]\nsync-age = true\nreplication = true\n");
  const auto look = [&](const std::string& type) {
    tree.file("xroad/conf.d/node.ini", "[node]\ntype=" + type + "\n");
    const NodeSettings settings = load(tree);
    std::string text = words(settings);
    for (const LeftOut& one : left_out_checks(settings)) text += one.word + ": " + one.why + "; ";
    return text;
  };
  const std::string xroads = "global-conf auth-key serverconf-db ";
  CHECK(look("slave") == xroads + "sync-age replication ");
  CHECK(look("master") == xroads + "sync-age: not on a primary; replication: not on a primary; ");
  CHECK(look("standalone") ==
        xroads + "sync-age: not on a single node; replication: not on a single node; ");
  // Nobody knows what this node is: what somebody switched on is asked.
  CHECK(look("slvae") == xroads + "sync-age replication ");
  tree.file("companion.ini", "[checks]\nreplication = true\n");
  CHECK(look("master") == xroads + "replication: not on a primary; ");
}

TEST_CASE("node_settings: every wrong value is named with its file and line", "[companion]") {
  TempTree tree;
  const auto wrong = [&](const std::string& section, const std::string& line) {
    tree.file("companion.ini", "; first\n[" + section + "]\n" + line + "\n");
    INFO(line);
    CHECK_THAT(refusal(tree), Contains(tree.path_of("companion.ini") + ":3: "));
  };
  for (const char* value : {"", "x", "-1", "65536", "5588 ", "0x10", "55 88", "5588;"}) {
    if (std::string(value) != "5588 ") wrong("proxy", std::string("health-check-port = ") + value);
  }
  wrong("proxy", "health-check-interface =");
  wrong("proxy", "health-check-interface = a b");
  wrong("proxy", "hsm-health-check-enabled = yes");
  wrong("proxy", "memory-usage-threshold = 0");
  wrong("proxy", "memory-usage-threshold = 101");
  wrong("proxy", "health-check-ports = 1");
  wrong("Proxy", "health-check-port = 1");
  wrong("admin", "remote-read = 1");
  wrong("maintenance", "state-file = relative");
  wrong("sync-age", "max-age = 0");
  wrong("sync-age", "max-age = 10m");
  wrong("sync-age", "peers = ss1");
  wrong("sync-age", "peers = ss1:0");
  wrong("sync-age", "peers = :5566");
  wrong("replication", "max-lag-bytes = 16MiB");
  wrong("replication", "fail-when-paused = maybe");
  wrong("admin", "no value at all");
  tree.file("companion.ini", "[proxy]\nhealth-check-port = 99999999999999999999\n");
  CHECK_THAT(refusal(tree), Contains("give a number from 0 to 65535"));
}

TEST_CASE(
    "node_settings: a value of X-Road's files that we do not take keeps nothing from starting",
    "[companion]") {
  TempTree tree;
  tree.file("xroad/conf.d/proxy.ini",
            "[proxy]\nhealth-check-port = none\nunknown-key = x\n"
            "hsm-health-check-enabled = yes\nmemory-usage-threshold = 0\n");
  NodeSettings settings = load(tree);
  REQUIRE(settings.ignored.size() == 3);
  CHECK_THAT(settings.ignored[0], Contains("xroad/conf.d/proxy.ini:2: health-check-port = none"));
  CHECK(settings.health.port == 0);
  CHECK_FALSE(settings.hsm_enabled);
  CHECK(settings.memory.threshold == 0);
  tree.file("xroad/conf.d/local.ini", "[proxy]\nhealth-check-port = 5588\n");
  settings = load(tree);
  CHECK(settings.health.port == 5588);
  CHECK(settings.ignored.size() == 2);
}

TEST_CASE("node_settings: what X-Road's reader takes in its files keeps nothing from starting",
          "[companion]") {
  TempTree tree;
  tree.file("xroad/conf.d/common.ini",
            "no value\n[broken\n= nothing\n\x01 = x\n" + std::string(20'000, 'x') +
                "\n[proxy]\nhealth-check-port = 5588 ; the load balancer's\n"
                "health-check-interface: \"127.0.0.1\"\n");
  tree.file("xroad/conf.d/node.ini", "[node]\ntype = slave # since May\n");
  NodeSettings settings = load(tree);
  CHECK(settings.health.port == 5588);
  CHECK(settings.health.where == tree.path_of("xroad/conf.d/common.ini") + ":7");
  CHECK(settings.health.host == "127.0.0.1");
  CHECK(settings.role == "secondary");
  // Ours has one form.
  tree.file("companion.ini", "[admin]\nport = 5590 ; a comment\n");
  CHECK_THAT(refusal(tree), Contains("companion.ini:2: "));
  tree.file("companion.ini", "no value\n");
  CHECK_THAT(refusal(tree), Contains("companion.ini:1: "));
}

TEST_CASE("node_settings: a peer of IPv6 loses its brackets", "[companion]") {
  TempTree tree;
  tree.file("companion.ini", "[sync-age]\npeers = [2001:db8::2]:5590, ss1:5591\n");
  const auto peers = load(tree).sync_age.peers;
  REQUIRE(peers.size() == 2);
  CHECK(peers[0].host == "2001:db8::2");
  CHECK(peers[0].port == 5590);
  CHECK(peers[1].host == "ss1");
  tree.file("companion.ini", "[sync-age]\npeers = []:5590\n");
  CHECK_THAT(refusal(tree), Contains("give host:port"));
}

TEST_CASE("node_settings: a file that was named must be there", "[companion]") {
  const TempTree tree;
  ConfigPlaces named = places(tree);
  named.own_must_exist = true;
  CHECK(test::thrown_by([&] { load_node_settings(named); }));
}

TEST_CASE("node_settings: the example has every key, and every example is accepted",
          "[companion]") {
  TempTree tree;
  std::string text = example_ini();
  std::string uncommented;
  while (!text.empty()) {
    std::string line = text.substr(0, text.find('\n'));
    text.erase(0, line.size() + 1);
    if (line.starts_with(";") && !line.starts_with("; ")) line.erase(0, 1);
    uncommented += line + "\n";
  }
  tree.file("companion.ini", uncommented);
  const NodeSettings settings = load(tree);
  CHECK(settings.health.port == 5588);
  CHECK(settings.sync_age.peers.size() == 2);
  CHECK(Ini::load(tree.path_of("companion.ini")).values().size() == setting_table().size());
}

// Keys that take any words: X-Road does for the type of a node, and PostgreSQL judges the others.
const std::set<std::string> kAnyWords = {
    "node type",           "replication host", "replication user", "replication database",
    "replication primary", "cluster name",     "cluster service",  "upgrade sync-user"};

TEST_CASE("node_settings: every key tells what it takes and its default", "[companion]") {
  for (const SettingRow& row : setting_table()) {
    INFO(row.section << " " << row.key);
    const std::string takes = accepted_by(row);
    const std::string key = std::string(row.section) + " " + row.key;
    CHECK(takes.empty() == (kAnyWords.count(key) != 0));
    const std::string fallback = row.fallback == nullptr ? row.example : row.fallback;
    CHECK_FALSE(fallback.empty());
    CHECK(example_ini().find("Default: " + fallback + ".\n") != std::string::npos);
  }
}

TEST_CASE("node_settings: the defaults that the table tells are those that hold", "[companion]") {
  TempTree tree;
  const NodeSettings plain = load(tree);
  std::string lines;
  std::string section;
  for (const SettingRow& row : setting_table()) {
    const std::string value = row.fallback == nullptr ? row.example : row.fallback;
    // These stand for nothing being set, and a path has /etc/xroad in front.
    const bool words = value == "off" || value == "none" || value.find(' ') != std::string::npos;
    if (words || value.starts_with("/etc/xroad")) continue;
    if (section != row.section) lines += "[" + (section = row.section) + "]\n";
    lines += std::string(row.key) + " = " + value + "\n";
  }
  tree.file("companion.ini", lines);
  const NodeSettings told = load(tree);
  CHECK(told.health.host == plain.health.host);
  CHECK(told.health.port == plain.health.port);
  CHECK(told.admin.host == plain.admin.host);
  CHECK(told.admin.port == plain.admin.port);
  CHECK(told.admin_remote_read == plain.admin_remote_read);
  CHECK(told.agent.host == plain.agent.host);
  CHECK(told.agent.port == plain.agent.port);
  CHECK(told.maintenance_survives == plain.maintenance_survives);
  CHECK(told.maintenance_file == plain.maintenance_file);
  CHECK(told.role == plain.role);
  CHECK(told.hsm_enabled == plain.hsm_enabled);
  CHECK(words(told) == words(plain));
  CHECK(told.auth_key.signer_port == plain.auth_key.signer_port);
  CHECK(told.auth_key.keys.ocsp_cache == plain.auth_key.keys.ocsp_cache);
  CHECK(told.memory.proxy_admin.port == plain.memory.proxy_admin.port);
  CHECK(told.sync_age.status_file == plain.sync_age.status_file);
  CHECK(told.sync_age.max_age == plain.sync_age.max_age);
  CHECK(told.sync_age.max_pause == plain.sync_age.max_pause);
  CHECK(told.sync_age.max_difference == plain.sync_age.max_difference);
  CHECK(told.replication.max_lag_bytes == plain.replication.max_lag_bytes);
  CHECK(told.replication.max_lag == plain.replication.max_lag);
  CHECK(told.replication.max_silence == plain.replication.max_silence);
  CHECK(told.replication.fail_when_paused == plain.replication.fail_when_paused);
  CHECK(told.replication.standby_expected == plain.replication.standby_expected);
}

TEST_CASE("node_settings: a port that is taken names the setting that moves ours", "[companion]") {
  const TempTree tree;
  const test::SilentPort taken;
  NodeSettings settings = load(tree);
  settings.admin.port = taken.port();
  auto error = test::thrown_by([&] { open_ports(settings); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Start);
  CHECK_THAT(error->text(), Contains("Address already in use"));
  CHECK_THAT(error->text(), Contains("xroad-proxy"));
  CHECK_THAT(error->text(), Contains("set port in section [admin] of " + settings.places.own));
  settings.admin.port = 0;
  settings.health = {"127.0.0.1", taken.port(), "local.ini:2"};
  error = test::thrown_by([&] { open_ports(settings); });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("(local.ini:2)"));
  CHECK_THAT(error->text(), Contains("set health-check-port in section [proxy]"));
  settings.health = {"no host at all", 1, "local.ini:2"};
  error = test::thrown_by([&] { open_ports(settings); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Usage);
  settings.health = {"192.0.2.1", 5588, "local.ini:2"};
  error = test::thrown_by([&] { open_ports(settings); });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("give an address of this host"));
}
