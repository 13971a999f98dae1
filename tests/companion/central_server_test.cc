// SPDX-License-Identifier: MIT
// `xroad-companion replication status` on a node of a Central Server, as an operator and a monitor
// run it, against servers that speak TLS.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/io.h"
#include "base/text.h"
#include "companion/tls_trust.h"
#include "companion/wall.h"
#include "tests/companion/pki.h"
#include "tests/support/catch.h"
#include "tests/support/daemon.h"
#include "tests/support/postgres.h"
#include "tests/support/program.h"
#include "tests/support/silent.h"
#include "tests/support/sshd.h"
#include "tests/support/tls_peer.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr const char* kKey = "d56e1ca7-4134-4ed4-8030-5f330bdb602a";
constexpr const char* kKeyBegin = "d56e1ca7";

struct NodeWords {
  std::string name, status;
  std::int64_t age = 12;
};

std::string body_of(const std::vector<NodeWords>& nodes, const std::string& self = "node_0") {
  nlohmann::json body{{"is_ha_configured", true}, {"node_name", self}, {"later", {{"x", 1}}}};
  bool fine = true;
  for (const NodeWords& node : nodes) {
    nlohmann::json one{{"node_name", node.name},
                       {"node_address", node.name + ".example"},
                       {"status", node.status}};
    if (node.age >= 0) one["configuration_generated"] = utc_text(wall_now() - node.age);
    body["nodes"].push_back(one);
    fine = fine && node.status == "OK";
  }
  body["all_nodes_ok"] = fine;
  return body.dump();
}

std::string reply_of(const std::string& body, const std::string& status = "200 ") {
  return "HTTP/1.1 " + status +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

TlsPlan serving(const std::string& reply) {
  TlsPlan plan;
  plan.reply = reply;
  plan.key = kKey;
  return plan;
}

Identity self_signed(const std::string& alt = "IP:127.0.0.1") {
  const std::int64_t now = wall_now();
  return make_identity({"cs1.example", now - 60, now + 86'400, false, false, alt});
}

std::string pin_of(const Identity& identity) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(identity.certificate.get(), EVP_sha256(), digest.data(), &size);
  return hex({reinterpret_cast<const char*>(digest.data()), size});
}

// Somebody at a node of a Central Server. The key is in no output of anything that is run.
class Center {
 public:
  Center() {
    dir.write("companion.ini", "");
    dir.write("key", std::string(kKey) + "\n");
  }
  std::vector<std::string> line(const std::vector<std::string>& words) const {
    std::vector<std::string> all{XS_COMPANION, "--config",   dir / "companion.ini",
                                 "--xroad",    dir / "none", "replication",
                                 "status"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
  std::string run(int code, const std::vector<std::string>& words) const {
    const Outcome outcome = run_program(line(words));
    const std::string both = outcome.out + outcome.end;
    INFO(both);
    CHECK_THAT(outcome.end, Catch::EndsWith("status " + std::to_string(code)));
    CHECK_THAT(both, !Contains(kKeyBegin));
    return both;
  }
  // These servers, without a database.
  std::vector<std::string> words(const std::vector<std::string>& servers,
                                 const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{"--no-database", "--api-key-file", dir / "key"};
    if (std::find(more.begin(), more.end(), "--timeout") == more.end()) {
      all.insert(all.end(), {"--timeout", "5"});
    }
    for (const std::string& server : servers) {
      all.emplace_back("--central-server");
      all.push_back(server);
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // An error is one line, and a monitor reads it as one.
  std::string fail(int code, const std::vector<std::string>& all) const {
    const std::string both = run(code, all);
    CHECK(std::count(both.begin(), both.end(), '\n') <= 1);
    std::vector<std::string> check = all;
    check.emplace_back("--check");
    const std::string seen = run(3, check);
    CHECK_THAT(seen, Catch::StartsWith("REPLICATION UNKNOWN - "));
    CHECK(std::count(seen.begin(), seen.end(), '\n') == 1);
    return both;
  }

  TempDir dir;
};

// Of the programs that are run meanwhile.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

// What one server that is pinned answers with.
std::string answered(int code, const TlsPlan& plan, const std::vector<std::string>& more = {}) {
  const Identity identity = self_signed();
  const TlsPeer peer(identity, plan);
  const Center center;
  std::vector<std::string> all{"--fingerprint", pin_of(identity)};
  all.insert(all.end(), more.begin(), more.end());
  return center.run(code, center.words({peer.where()}, all));
}

std::string failed(int code, const TlsPlan& plan, const std::vector<std::string>& more = {}) {
  const Identity identity = self_signed();
  const TlsPeer peer(identity, plan);
  const Center center;
  std::vector<std::string> all{"--fingerprint", pin_of(identity)};
  all.insert(all.end(), more.begin(), more.end());
  const std::string text = center.fail(code, center.words({peer.where()}, all));
  CHECK_THAT(text, Contains("Central Server " + peer.where() + ": "));
  return text;
}

}  // namespace

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

TEST_CASE("central server: a server that is not proven is told nothing", "[companion][central]") {
  const std::int64_t now = wall_now();
  const Center center;
  const TlsPlan plan = serving(reply_of(body_of({{"node_0", "OK"}})));
  const Identity ca = make_identity({"Our CA", now - 60, now + 86'400, true});
  const std::string ca_file = center.dir.write("ca.pem", ca.pem());
  const auto refused = [&](const Identity& identity, const std::vector<std::string>& trust) {
    const TlsPeer peer(identity, plan);
    const std::string text = center.fail(41, center.words({peer.where()}, trust));
    CHECK_THAT(text, Contains("the certificate of '127.0.0.1:") &&
                         Contains("SHA-256 fingerprint " + fingerprint_text(pin_of(identity)) +
                                  "; compare that at the server itself"));
    CHECK(peer.requests().empty());
    return text;
  };
  const auto accepted = [&](const Identity& identity, const std::vector<std::string>& trust) {
    const TlsPeer peer(identity, plan);
    center.run(0, center.words({peer.where()}, trust));
    CHECK(peer.requests().size() == 1);
  };
  const Identity own = self_signed();
  const Identity good = make_identity({"cs1", now - 60, now + 86'400}, &ca);
  const Identity other = make_identity(
      {"cs1", now - 60, now + 86'400, false, false, "DNS:cs2.example, IP:127.0.0.2"}, &ca);
  const Identity expired = make_identity({"cs1", now - 9000, now - 5000}, &ca);
  const Identity early = make_identity({"cs1", now + 5000, now + 9000}, &ca);
  CHECK_THAT(refused(own, {}), Contains("is not trusted (self") && Contains("CN=cs1.example"));
  CHECK_THAT(refused(good, {}), Contains("is not trusted (unable to get local issuer"));
  CHECK_THAT(refused(own, {"--ca-file", ca_file}), Contains("is not trusted (self"));
  CHECK_THAT(refused(other, {"--ca-file", ca_file}), Contains("IP address mismatch"));
  CHECK_THAT(refused(expired, {"--ca-file", ca_file}), Contains("has expired"));
  CHECK_THAT(refused(early, {"--ca-file", ca_file}), Contains("not yet valid"));
  CHECK_THAT(refused(own, {"--fingerprint", pin_of(good)}),
             Contains("is not the one whose fingerprint was given"));
  // The CA of a certificate is not the certificate.
  CHECK_THAT(refused(good, {"--fingerprint", pin_of(ca)}), Contains("is not the one"));
  accepted(good, {"--ca-file", ca_file});
  accepted(own, {"--fingerprint", pin_of(good), "--fingerprint", pin_of(own)});
  accepted(expired, {"--fingerprint", pin_of(expired)});
  accepted(other, {"--fingerprint", "sha256 Fingerprint=" + fingerprint_text(pin_of(other))});
}

TEST_CASE("central server: a name is looked up, announced and compared", "[companion][central]") {
  const std::int64_t now = wall_now();
  const Center center;
  const Identity ca = make_identity({"Our CA", now - 60, now + 86'400, true});
  const std::string ca_file = center.dir.write("ca.pem", "words before\n" + ca.pem());
  const TlsPlan plan = serving(reply_of(body_of({{"node_0", "OK"}})));
  const Identity named =
      make_identity({"x", now - 60, now + 86'400, false, false, "DNS:localhost"}, &ca);
  const TlsPeer peer(named, plan);
  const std::string where = "localhost:" + std::to_string(peer.port());
  CHECK_THAT(center.run(0, center.words({where}, {"--ca-file", ca_file})),
             Contains("Central Server " + where));
  CHECK(peer.names() == std::vector<std::string>{"localhost"});
  CHECK_THAT(center.fail(41, center.words({peer.where()}, {"--ca-file", ca_file})),
             Contains("IP address mismatch"));
  const Identity wild =
      make_identity({"x", now - 60, now + 86'400, false, false, "DNS:localhost.example"}, &ca);
  const TlsPeer stranger(wild, plan);
  CHECK_THAT(center.fail(41, center.words({"localhost:" + std::to_string(stranger.port())},
                                          {"--ca-file", ca_file})),
             Contains("hostname mismatch"));
}

TEST_CASE("central server: whatever the wire does, there is one line in time",
          "[companion][central]") {
  const Center center;
  const std::string pin(64, 'a');
  const auto at = [&](int port) { return "127.0.0.1:" + std::to_string(port); };
  const auto fail = [&](int code, const std::string& where) {
    return center.fail(code, center.words({where}, {"--fingerprint", pin, "--timeout", "1"}));
  };
  SECTION("nobody is there") {
    CHECK_THAT(fail(10, at(free_port())), Contains("Connection refused"));
    CHECK_THAT(fail(10, "no-such-host.invalid"), Contains("no address for 'no-such-host.invalid'"));
  }
  SECTION("it takes no connection") {
    const FullPort full;
    CHECK_THAT(fail(35, at(full.port())), Contains("no connection to '127.0.0.1'"));
  }
  SECTION("it does not shake hands") {
    const SilentPort silent;
    CHECK_THAT(fail(30, at(silent.port())), Contains("did not shake hands in time: is it TLS?"));
  }
  TlsPlan plan = serving(reply_of(body_of({{"node_0", "OK"}})));
  SECTION("it speaks no TLS") {
    plan.plain = GENERATE("HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-x\r\n");
    CHECK_THAT(failed(2, plan), Contains("does not speak TLS 1.2 or newer with us"));
  }
  SECTION("it hangs up while shaking hands") {
    plan.hang_up = true;
    CHECK_THAT(failed(12, plan),
               Contains("the connection while shaking hands") || Contains("Connection reset"));
  }
  SECTION("it speaks an old version only") {
    plan.version = TLS1_1_VERSION;
    CHECK_THAT(failed(2, plan), Contains("does not speak TLS 1.2 or newer with us"));
  }
  SECTION("the system would let an old version pass") {
    const std::string lax =
        center.dir.write("openssl.cnf",
                         "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
                         "[c]\nMinProtocol = TLSv1\nCipherString = DEFAULT@SECLEVEL=0\n");
    const Environment set("OPENSSL_CONF", lax);
    plan.version = TLS1_1_VERSION;
    CHECK_THAT(failed(2, plan), Contains("does not speak TLS 1.2 or newer with us"));
  }
  SECTION("TLS 1.2 alone is enough") {
    plan.version = TLS1_2_VERSION;
    CHECK_THAT(answered(0, plan), Contains("| OK"));
  }
  SECTION("no headers") {
    plan.reply.clear();
    plan.hold = true;
    CHECK_THAT(failed(30, plan, {"--timeout", "1"}), Contains("did not answer in time (0 bytes"));
  }
  SECTION("half a body, and silence") {
    plan.reply.resize(plan.reply.size() - 20);
    plan.hold = true;
    CHECK_THAT(failed(30, plan, {"--timeout", "1"}), Contains("did not answer in time ("));
  }
  SECTION("half a body, and the end") {
    plan.reply.resize(plan.reply.size() - 20);
    plan.rude = GENERATE(false, true);
    CHECK_THAT(failed(12, plan), Contains("the answer was cut off after "));
  }
  SECTION("no end of a body, and no end of the headers") {
    plan.reply = GENERATE("HTTP/1.1 200 \r\n\r\n{", "HTTP/1.1 200 \r\nA: b");
    plan.endless = true;
    CHECK_THAT(failed(2, plan), Contains("answers with more than 65536 bytes"));
  }
  SECTION("chunks") {
    plan.reply = "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    CHECK_THAT(failed(2, plan), Contains("a transfer encoding nobody asked for"));
  }
}

TEST_CASE("central server: a key that others could know or change is not used",
          "[companion][central]") {
  const Identity identity = self_signed();
  const TlsPeer peer(identity, serving(reply_of(body_of({{"node_0", "OK"}}))));
  const Center center;
  const auto with = [&](const std::string& file) {
    return std::vector<std::string>{
        "--no-database",  "--central-server", peer.where(), "--fingerprint",
        pin_of(identity), "--api-key-file",   file};
  };
  const auto file = [&](const std::string& text, unsigned mode = 0600) {
    return center.dir.write("k", text, mode);
  };
  const std::string key = kKey;
  for (const unsigned mode : {0400U, 0440U, 0600U, 0640U}) center.run(0, with(file(key, mode)));
  center.run(0, with(file(key + "\r\n")));
  REQUIRE(peer.requests().size() == 5);
  for (const unsigned mode : {0644U, 0604U, 0666U}) {
    CHECK_THAT(center.fail(1, with(file(key, mode))),
               Contains("k' can be read by others, so it is not used: chmod 0640 '") &&
                   Contains("revoke the key"));
  }
  for (const unsigned mode : {0660U, 0602U, 0601U}) {
    CHECK_THAT(center.fail(1, with(file(key, mode))),
               Contains("k' can be changed by others, so it is not used: chmod 0640 '"));
  }
  CHECK_THAT(center.fail(1, with(file(""))), Contains("is empty"));
  CHECK_THAT(center.fail(1, with(file("\n"))), Contains("is empty"));
  CHECK_THAT(center.fail(1, with(file(key + "\n" + key + "\n"))), Contains("more than one line"));
  CHECK_THAT(center.fail(1, with(file(key + "\n\n"))), Contains("more than one line"));
  CHECK_THAT(center.fail(1, with(file(key + "\rX: y"))), Contains("that no API key has"));
  CHECK_THAT(center.fail(1, with(file(key + " "))), Contains("a blank or another character"));
  CHECK_THAT(center.fail(1, with(file(key + std::string(1, '\0')))), Contains("no API key has"));
  CHECK_THAT(center.fail(1, with(file(key + "\xc3\xa4"))), Contains("that no API key has"));
  CHECK_THAT(center.fail(1, with(file("short"))), Contains("holds 5 characters"));
  CHECK_THAT(center.fail(1, with(file(std::string(300, 'k')))), Contains("holds 300 characters"));
  CHECK_THAT(center.fail(11, with(file(std::string(5000, 'k')))), Contains("larger than 4096"));
  CHECK_THAT(center.fail(1, with(center.dir.path())), Contains("is not a regular file"));
  CHECK_THAT(center.fail(11, with(center.dir / "none")), Contains("No such file"));
  REQUIRE(::mkfifo((center.dir / "fifo").c_str(), 0600) == 0);
  CHECK_THAT(center.fail(1, with(center.dir / "fifo")), Contains("is not a regular file"));
  if (::geteuid() == 0) {
    const std::string theirs = file(key);
    REQUIRE(::chown(theirs.c_str(), 65534, 0) == 0);
    CHECK_THAT(center.fail(1, with(theirs)),
               Contains("belongs to another user") && Contains("chown root '"));
  }
  CHECK(peer.requests().size() == 5);
}

TEST_CASE("central server: the key is in no argument, environment or log", "[companion][central]") {
  const Identity identity = self_signed();
  TlsPlan plan = serving(reply_of(body_of({{"node_0", "OK"}})));
  plan.reply.resize(plan.reply.size() - 20);
  plan.hold = true;
  const TlsPeer peer(identity, plan);
  const Center center;
  Daemon daemon(center.line(center.words({peer.where()}, {"--fingerprint", pin_of(identity)})),
                center.dir / "log");
  REQUIRE(eventually(10s, [&] { return !peer.requests().empty(); }));
  const std::string proc = "/proc/" + std::to_string(daemon.pid()) + "/";
  for (const char* file : {"cmdline", "environ", "comm", "stat"}) {
    CHECK_THAT(read_file(proc + file, 1U << 20), !Contains(kKeyBegin));
  }
  CHECK(daemon.wait() == 30);
  CHECK_THAT(daemon.log(),
             Contains("did not answer in time") && !Contains(kKeyBegin) && !Contains("token="));
}

TEST_CASE("central server: all nodes are asked, and one that is down takes nothing away",
          "[companion][central]") {
  const Identity one = self_signed();
  const Identity two = self_signed();
  const Center center;
  const std::vector<std::string> pins{"--fingerprint", pin_of(one), "--fingerprint", pin_of(two)};
  const TlsPeer first(one, serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "OK"}}))));
  SECTION("they agree") {
    const TlsPeer second(
        two, serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "OK"}}, "node_1"))));
    CHECK_THAT(
        center.run(0, center.words({first.where(), second.where()}, pins)),
        Contains(first.where() + ", node node_0") && Contains(second.where() + ", node node_1"));
  }
  SECTION("they do not") {
    const TlsPeer second(
        two, serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "ERROR", 9000}}, "node_1"))));
    CHECK_THAT(
        center.run(2, center.words({first.where(), second.where()}, pins)),
        Contains("CRITICAL: node 'node_1'") &&
            Contains("WARNING: the Central Servers differ about node 'node_1': " + first.where() +
                     " says OK, " + second.where() + " says ERROR: do they use one database"));
  }
  SECTION("one is down, one hangs") {
    const SilentPort silent;
    const std::string down = "127.0.0.1:" + std::to_string(free_port());
    const std::string hung = "127.0.0.1:" + std::to_string(silent.port());
    auto more = pins;
    more.insert(more.end(), {"--timeout", "3"});
    auto words = center.words({down, hung, first.where()}, more);
    CHECK_THAT(center.run(3, words), Contains("UNKNOWN: Central Server " + down + ": no conn") &&
                                         Contains("UNKNOWN: Central Server " + hung) &&
                                         Contains(down + ": no answer\n") && Contains("| OK"));
    words.emplace_back("--check");
    CHECK_THAT(center.run(3, words), Catch::StartsWith("REPLICATION UNKNOWN - Central Server ") &&
                                         Contains(", 2 of 2 nodes of the Central Server are OK |"));
  }
  SECTION("nobody is there") {
    const std::string a = "127.0.0.1:" + std::to_string(free_port());
    CHECK_THAT(center.run(10, center.words({a, a}, pins)), Contains(a + ": no answer\n"));
  }
}

TEST_CASE("central server: companion.ini says it all, and an option says it better",
          "[companion][central]") {
  const Identity one = self_signed();
  const Identity two = self_signed();
  const TlsPeer first(one, serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "OK"}}))));
  const TlsPeer second(two,
                       serving(reply_of(body_of({{"node_0", "OK"}, {"node_1", "OK"}}, "node_1"))));
  const Center center;
  const std::string port = std::to_string(free_port());
  const auto configure = [&](const std::string& addresses) {
    center.dir.write("companion.ini", "[central-server]\naddresses = " + addresses +
                                          "\napi-key-file = " + center.dir / "key" +
                                          "\nfingerprints = " + pin_of(one) + " " +
                                          fingerprint_text(pin_of(two)) + "\n");
  };
  configure(first.where() + ", https://" + second.where());
  CHECK_THAT(center.run(0, {"--no-database"}), Contains(first.where()) && Contains(second.where()));
  CHECK_THAT(center.run(0, {"--no-database", "--central-server", second.where()}),
             !Contains(first.where()) && Contains(second.where()));
  CHECK_THAT(center.fail(41, {"--no-database", "--central-server", second.where(), "--fingerprint",
                              pin_of(one)}),
             Contains("is not the one"));
  CHECK_THAT(center.fail(41, {"--no-database", "--central-server", second.where(), "--ca-file",
                              center.dir.write("ca.pem", one.pem())}),
             Contains("is not trusted"));
  configure("http://cs1");
  CHECK_THAT(center.fail(1, {"--no-database"}),
             Contains("companion.ini:2: addresses = http://cs1: give HOST[:PORT]"));
}

TEST_CASE("central server: words that cannot be meant are refused", "[companion][central]") {
  const Center center;
  const auto fail = [&](const std::vector<std::string>& more) {
    return center.fail(1, center.words({}, more));
  };
  CHECK_THAT(fail({"--central-server", "http://cs1"}), Contains("would go over the wire in clear"));
  for (const char* odd : {"", "https://", "cs1:0", "cs1:x", "cs1:70000", "[::1", "[::1]x", "a b",
                          "u:p@cs1", "cs1/path", "cs1:4000/x", "cs\xc3\xa4"}) {
    CAPTURE(odd);
    CHECK_THAT(fail({"--central-server", odd}), Contains("is no Central Server: "));
  }
  for (const char* odd : {"", "AB:CD", "zz", "sha256"}) {
    CAPTURE(odd);
    CHECK_THAT(fail({"--fingerprint", odd}), Contains("is no SHA-256 fingerprint"));
  }
  CHECK_THAT(fail({"--fingerprint", std::string(66, 'a')}), Contains("is no SHA-256 fingerprint"));
  const Identity identity = self_signed();
  const TlsPeer peer(identity, serving(""));
  CHECK_THAT(fail({"--central-server", peer.where(), "--ca-file", center.dir.write("ca", "x")}),
             Contains("ca' has no certificate in PEM form"));
  CHECK_THAT(center.fail(11, center.words({peer.where()}, {"--ca-file", center.dir / "none"})),
             Contains("No such file"));
  CHECK_THAT(center.run(1, {"--no-database", "--api-key-file", "k", "--fingerprint", "a",
                            "--ca-file", "b"}),
             Contains("excludes"));
  CHECK_THAT(center.fail(1, {"--no-database"}), Contains("there is nothing to ask"));
  CHECK_THAT(center.fail(1, {"--no-database", "--central-server", "cs1"}),
             Contains("answers to an API key only"));
  CHECK(peer.requests().empty());
}

TEST_CASE("central server: the database and the servers are told side by side",
          "[companion][central]") {
  if (const auto why = Postgres::missing()) {
    WARN(*why);
    return;
  }
  const Identity identity = self_signed();
  const Center center;
  Postgres primary;
  const TlsPeer good(identity, serving(reply_of(body_of({{"node_0", "OK"}}))));
  const TlsPeer bad(identity, serving(reply_of(body_of({{"node_0", "ERROR", 9000}}))));
  std::string key_file = center.dir / "key";
  const auto with = [&](const std::string& server, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{
        "--host",         primary.sockets(), "--port",           std::to_string(primary.port()),
        "--api-key-file", key_file,          "--central-server", server,
        "--fingerprint",  pin_of(identity)};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  CHECK_THAT(center.run(0, with(good.where())), Contains("primary at " + primary.sockets()) &&
                                                    Contains("Central Server " + good.where()));
  CHECK_THAT(center.run(2, with(bad.where())),
             Contains("primary at " + primary.sockets()) && Contains("CRITICAL: node 'node_0'"));
  // The worse part comes first, and its word.
  CHECK_THAT(center.run(2, with(bad.where(), {"--check"})),
             Catch::StartsWith("REPLICATION CRITICAL - node 'node_0'") && Contains("; primary, ") &&
                 Contains(" standbys=0 central_nodes=1 central_nodes_ok=0\n"));
  CHECK_THAT(center.run(2, with(good.where(), {"--check", "--standbys", "1"})),
             Catch::StartsWith("REPLICATION CRITICAL - primary, 0 of 1 standbys"));
  const auto json =
      nlohmann::json::parse(run_program(center.line(with(good.where(), {"--json"}))).out);
  CHECK(json["role"] == "primary");
  CHECK(json["central_server"]["servers"].size() == 1);
  // A key that is not used leaves the database's part.
  key_file = center.dir.write("open", kKey, 0644);
  CHECK_THAT(center.run(1, with(good.where())),
             Contains("primary at ") && Contains("UNKNOWN: the API key file"));
  key_file = center.dir / "key";
  // A Central Server's own file says where its database is.
  primary.sql("create role centerui login password 's3cret' in role pg_monitor");
  const std::string properties = center.dir.write(
      "db.properties",
      "spring.datasource.url=jdbc:postgresql://127.0.0.1:" + std::to_string(primary.port()) +
          "/postgres\nspring.datasource.username=centerui\n"
          "spring.datasource.password=s3cret\nsecondary_hosts=\n");
  CHECK_THAT(center.run(0, {"--db-properties", properties, "--api-key-file", key_file,
                            "--central-server", good.where(), "--fingerprint", pin_of(identity)}),
             Contains("primary at 127.0.0.1:") && Contains("| OK") && !Contains("s3cret"));
  primary.stop();
  CHECK_THAT(center.run(11, with(good.where())),
             Contains("UNKNOWN: this node's database: ") && Contains("| OK"));
  CHECK_THAT(center.run(3, with(good.where(), {"--check"})),
             Catch::StartsWith("REPLICATION UNKNOWN - this node's database: ") &&
                 Contains("; 1 of 1 nodes"));
  CHECK_THAT(center.run(2, with(bad.where(), {"--check"})),
             Catch::StartsWith("REPLICATION CRITICAL - node 'node_0'") &&
                 Contains("; this node's database: "));
}

TEST_CASE("central server: a node without a database is no failure", "[companion][central]") {
  if (::access("/var/run/postgresql/.s.PGSQL.5433", F_OK) == 0) {
    WARN("there is one here");
    return;
  }
  const Identity identity = self_signed();
  const Center center;
  const TlsPeer peer(identity, serving(reply_of(body_of({{"node_0", "OK"}}))));
  CHECK_THAT(center.run(0, {"--api-key-file", center.dir / "key", "--central-server", peer.where(),
                            "--fingerprint", pin_of(identity)}),
             Contains("no database was asked: /var/run/postgresql/.s.PGSQL.5433 is not there; name "
                      "one with --host and --port, or --db-properties\n") &&
                 Contains("| OK"));
}
