// SPDX-License-Identifier: MIT
#include "companion/checks/hsm.h"

#include "tests/companion/key_node.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/http_peer.h"
#include "tests/support/silent.h"
#include "tests/support/sshd.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

struct Node : KeyNode {
  SilentPort signer;
  HsmSettings settings;

  Node() {
    tree.file("lib/module.so",
              "\x7f"
              "ELF rest");
    devices("[softToken]\n[utimaco]\nlibrary = " + tree.path_of("lib/module.so") + "\n");
    auto keys = healthy_keys();
    keys[0].device = "utimaco";
    write_keyconf(keys);
    settings.devices = tree.path_of("devices.ini");
    settings.keyconf = tree.path_of("signer/keyconf.xml");
    settings.signer_port = signer.port();
  }
  void devices(const std::string& text) { tree.file("devices.ini", text); }
  Verdict ask() {
    SteadyClock clock;
    return HsmCheck(settings).ask(clock, clock.now() + 5s);
  }
  void failing(const std::string& reason) {
    const Verdict verdict = ask();
    CHECK_FALSE(verdict.ok);
    CHECK(verdict.message == "At least one HSM are non operational");
    CHECK_THAT(verdict.detail, Contains(reason));
  }
};

}  // namespace

TEST_CASE("hsm: modules that are installed and enabled pass, and say what that means",
          "[companion]") {
  Node node;
  const Verdict verdict = node.ask();
  CHECK(verdict.ok);
  CHECK(verdict.detail ==
        "1 modules are enabled and installed; whether they work is known to the signer alone");
}

TEST_CASE("hsm: what can be seen to be broken is a failure", "[companion]") {
  Node node;
  SECTION("the signer is down") {
    node.settings.signer_port = free_port();
    node.failing("Connection refused");
  }
  SECTION("no devices.ini") {
    node.tree.remove("devices.ini");
    node.failing("devices.ini': No such file");
  }
  SECTION("a devices.ini that cannot be parsed") {
    node.devices("[utimaco\n");
    node.failing("devices.ini:1");
  }
  SECTION("no library") {
    node.tree.remove("lib/module.so");
    node.failing("module.so': No such file");
  }
  SECTION("a library that is none") {
    node.tree.file("lib/module.so", "#!/bin/sh");
    node.failing("is no shared object");
  }
  SECTION("a module without a library") {
    node.devices("[utimaco]\nenabled = true\n");
    node.failing("no library is given");
  }
  SECTION("keys on a module that is switched off or gone") {
    node.devices("[utimaco]\nenabled = false\n");
    node.failing("keyconf.xml has keys on 'utimaco'");
    node.devices("[other]\nenabled = false\n");
    node.failing("keyconf.xml has keys on 'utimaco'");
  }
  SECTION("the proxy says so") {
    const std::string says = GENERATE(
        "At least one HSM are non operational\n",
        "Fetching health check response timed out for: Hardware Security Modules status\n");
    const HttpPeer proxy(HttpPlan{http_reply(500, says)});
    node.settings.proxy_health = HttpTarget{"127.0.0.1", proxy.port(), "/"};
    node.failing("says: ");
  }
}

TEST_CASE("hsm: other trouble of the proxy is not the modules'", "[companion]") {
  Node node;
  const HttpPeer proxy(HttpPlan{http_reply(500, "Global configuration is expired\n")});
  node.settings.proxy_health = HttpTarget{"127.0.0.1", proxy.port(), "/"};
  CHECK(node.ask().ok);
}
