// SPDX-License-Identifier: MIT
// The nodes of a Central Server in a table, as JSON and for a monitor, and answers that are none.
#include <nlohmann/json.hpp>

#include "companion/tls_trust.h"
#include "tests/companion/central/center.h"
#include "tests/companion/pki.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/tls_peer.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

TEST_CASE("central server: the nodes come as a table, as JSON and as a monitor's line",
          "[companion][central]") {
  const Identity identity = self_signed();
  const TlsPeer peer(identity, serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "OK"}}))));
  const Center center;
  const auto asked = center.words({"https://" + peer.where() + "/"},
                                  {"--fingerprint", fingerprint_text(pin_of(identity))});
  const auto with = [&](const char* word) {
    auto all = asked;
    all.emplace_back(word);
    return all;
  };
  CHECK_THAT(center.run(0, asked),
             Contains("Central Server " + peer.where() + ", node node_0, high availability\n") &&
                 Contains(" node_name | node_address   | configuration_generated") &&
                 Contains(" node_1    | node_1.example | 20") && Contains(" s ago | OK"));
  CHECK_THAT(center.run(0, with("--check")),
             Catch::StartsWith("REPLICATION OK - 2 of 2 nodes of the Central Server are OK | "
                               "central_nodes=2 central_nodes_ok=2\n"));
  const auto json = nlohmann::json::parse(run_program(center.line(with("--json"))).out);
  CHECK(json["role"].is_null());
  CHECK(json["central_server"]["health"] == "OK");
  const auto& server = json["central_server"]["servers"].at(0);
  CHECK(server["where"] == peer.where());
  CHECK(server["ha_configured"] == true);
  CHECK(server["trouble"].is_null());
  CHECK(server["nodes"].at(1)["status"] == "OK");
  CHECK(server["nodes"].at(1)["age_seconds"] < 60);
  // What went over the wire.
  REQUIRE(peer.requests().size() == 3);
  CHECK(peer.requests().front() ==
        "GET /api/v1/system/high-availability-cluster/status HTTP/1.0\r\nHost: " + peer.where() +
            "\r\nUser-Agent: xroad-companion\r\nConnection: close\r\nAuthorization: X-Road-ApiKey "
            "token=" +
            kKey + "\r\n\r\n");
}

TEST_CASE("central server: the exit code is that of the worst node", "[companion][central]") {
  const auto serve = [](const std::vector<NodeWords>& nodes) {
    return serving(reply_of(body_of(nodes)));
  };
  CHECK_THAT(answered(1, serve({{"node_0", "OK"}, {"node_1", "WARN", 1000}})),
             Contains("WARNING: node 'node_1' (node_1.example): WARN, its configuration was "
                      "generated 16 min ago\n"));
  CHECK_THAT(answered(2, serve({{"node_0", "WARN"}, {"node_1", "ERROR", 8000}})),
             Contains("CRITICAL: node 'node_1' (node_1.example): ERROR, its configuration was "
                      "generated 2 h ago: does xroad-center run there?\nWARNING: node 'node_0'"));
  CHECK_THAT(answered(3, serve({{"node_0", "OK"}, {"node_1", "UNKNOWN", -1}})),
             Contains("UNKNOWN: node 'node_1' (node_1.example): UNKNOWN, it has never been seen"));
  CHECK_THAT(answered(3, serve({{"node_0", "GREAT"}})),
             Contains("UNKNOWN: node 'node_0' (node_0.example): 'GREAT', which is no state that "
                      "we know"));
  CHECK_THAT(answered(2, serve({{"node_0", "OK"}, {"node_1", "ERROR", 8000}}), {"--check"}),
             Contains("REPLICATION CRITICAL - node 'node_1'") &&
                 Contains(", 1 of 2 nodes of the Central Server are OK | central_nodes=2 "
                          "central_nodes_ok=1\n"));
}

TEST_CASE("central server: an answer needs no length, and its names do no harm",
          "[companion][central]") {
  TlsPlan plan = serving("HTTP/1.1 200 \r\nDate: " + std::string("Thu, 01 Jan 1970 00:00:10 GMT") +
                         "\r\n\r\n" + body_of({{"node_0", "OK"}}));
  plan.piece = 1;
  CHECK_THAT(answered(1, plan), Contains("WARNING: the clock of Central Server 127.0.0.1:") &&
                                    Contains("days behind this node's"));
  plan = serving("HTTP/1.1 200 \r\n\r\n" + body_of({{"node_0", "OK"}}));
  plan.rude = true;
  CHECK_THAT(answered(0, plan), Contains("| OK"));
  // A name may be anything, also the key that the server was just told.
  const std::string bad = "a\x1b[2J|b\n" + std::string(kKey);
  CHECK_THAT(answered(0, serving(reply_of(body_of({{bad, "OK"}}, bad))), {"--check"}),
             Contains("REPLICATION OK") && !Contains("\x1b"));
  CHECK_THAT(answered(0, serving(reply_of(body_of({{bad, "OK"}}, bad)))),
             Contains("a\\#033[2J|b\\#012***.example"));
  answered(0, serving(reply_of(body_of({{bad, "OK"}}, bad))), {"--json"});
  failed(2, serving("HTTP/1.1 2 " + std::string(kKey) + "\r\n\r\n"));
  failed(2, serving(std::string(kKey) + "\r\n\r\n"));
}

TEST_CASE("central server: a refusal says what mends it", "[companion][central]") {
  struct Refused {
    const char* status;
    int code;
    const char* words;
  };
  const Refused refused = GENERATE(
      Refused{"400 ", 42, "status 400: the request is refused: where allowed-hostnames"},
      Refused{"403 ", 42, "status 403: the API key may not ask this, or not from here"},
      Refused{"404 Not Found", 4, "status 404: there is no such interface"},
      Refused{"429 ", 2, "status 429: asked too often"},
      Refused{"500 ", 2, "status 500: the server failed: look at its logs in /var/log/xroad"},
      Refused{"503 ", 2, "status 503: the server failed"},
      Refused{"302 ", 2, "status 302: that is not the interface of a Central Server"});
  CHECK_THAT(failed(refused.code,
                    serving(reply_of("{\"token\":\"" + std::string(kKey) + "\"}", refused.status))),
             Contains(refused.words));
}

TEST_CASE("central server: a key that is not known there is refused", "[companion][central]") {
  TlsPlan plan = serving(reply_of(body_of({{"node_0", "OK"}})));
  plan.key = "another-key-than-ours-0000";
  CHECK_THAT(failed(42, plan), Contains("status 401: the API key is not known there: was it "
                                        "revoked"));
}

TEST_CASE("central server: what is no answer is never OK", "[companion][central]") {
  const auto say = [](const std::string& body) { return failed(2, serving(reply_of(body))); };
  const std::string no = "the answer is no state of a cluster";
  CHECK_THAT(say("<!DOCTYPE html><html></html>"), Contains(no + " (it is no JSON object)"));
  CHECK_THAT(say(""), Contains(no));
  CHECK_THAT(say("[]"), Contains(no));
  CHECK_THAT(say("{\"nodes\":[]"), Contains(no));
  CHECK_THAT(say("{}"), Contains("it has no list of nodes"));
  CHECK_THAT(say("{\"nodes\":{}}"), Contains("it has no list of nodes"));
  CHECK_THAT(say("{\"nodes\":[1]}"), Contains("a node is no object"));
  CHECK_THAT(say("{\"nodes\":[{\"status\":1}]}"), Contains("status is no text"));
  CHECK_THAT(say("{\"nodes\":[],\"node_name\":\"" + std::string(300, 'x') + "\"}"),
             Contains("node_name is too long"));
  std::string many = "{}";
  for (int i = 0; i < 64; ++i) many += ",{}";
  CHECK_THAT(say("{\"nodes\":[" + many + "]}"), Contains("it lists too many nodes"));
  CHECK_THAT(answered(3, serving(reply_of("{\"nodes\":[]}"))), Contains("lists no node"));
  const std::string lone = R"("node_name":"node_0","nodes":[{"node_name":"node_0","status":"OK",)"
                           R"("configuration_generated":"2026-01-01T00:00:00.000Z"}],)"
                           R"("all_nodes_ok":true})";
  CHECK_THAT(answered(0, serving(reply_of("{\"ha_configured\":true," + lone))), Contains("| OK"));
  CHECK_THAT(answered(3, serving(reply_of("{\"ha_configured\":false," + lone))),
             Contains("high availability is not configured: is ha-node-name missing"));
  CHECK_THAT(answered(3, serving(reply_of("{" + lone))),
             Contains("does not say whether high availability is configured"));
}
