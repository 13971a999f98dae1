// SPDX-License-Identifier: MIT
#include "companion/checks/auth_key.h"

#include <fcntl.h>
#include <openssl/ocsp.h>
#include <sys/stat.h>

#include <array>
#include <functional>

#include "companion/checks/sign_keys.h"
#include "tests/companion/key_node.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/http_peer.h"
#include "tests/support/silent.h"
#include "tests/support/sshd.h"
#include "tests/support/temp_dir.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr const char* kNoKey = "No authentication key available. Signer might be down.";
constexpr const char* kNoChain = "No certificate chain available in authentication key.";
constexpr const char* kNoEntity = "No end entity certificate available for authentication key.";
constexpr const char* kNoOcsp = "Getting OCSP response for authentication key failed.";

// A node whose signer listens.
struct Node : KeyNode {
  SilentPort signer;
  SteadyClock clock;

  Verdict ask() {
    AuthKeyCheck check({settings(), "127.0.0.1", signer.port()}, wall());
    return check.ask(clock, clock.now() + 5s);
  }
  void failing(const std::string& message, const std::string& reason) {
    const Verdict verdict = ask();
    CHECK_FALSE(verdict.ok);
    CHECK(verdict.message == message);
    CHECK_THAT(verdict.detail, Contains(reason));
    CHECK(verdict.detail.find('\n') == std::string::npos);
  }
  void failing_ocsp(const std::string& response, const std::string& reason) {
    store(auth, response);
    failing(kNoChain, reason);
  }
};

}  // namespace

TEST_CASE("auth key: a healthy key passes, and names its certificate", "[companion]") {
  Node node;
  const Verdict verdict = node.ask();
  CHECK(verdict.ok);
  CHECK(verdict.message.empty());
  CHECK_THAT(verdict.detail, Contains("CN=ss1") && Contains("valid until 2027-01-16"));
  CHECK(AuthKeyCheck({}).name() == "Authentication key OCSP status");
}

TEST_CASE("auth key: a signer that does not listen is said to be down", "[companion]") {
  Node node;
  AuthKeyCheck check({node.settings(), "127.0.0.1", free_port()}, node.wall());
  const Verdict verdict = check.ask(node.clock, node.clock.now() + 5s);
  CHECK_FALSE(verdict.ok);
  CHECK(verdict.message == kNoKey);
  CHECK_THAT(verdict.detail, Contains("Connection refused"));
}

TEST_CASE("auth key: the registry decides which key counts", "[companion]") {
  Node node;
  auto keys = node.healthy_keys();
  SECTION("none is there") {
    node.tree.remove("signer/keyconf.xml");
    node.failing(kNoChain, "keyconf.xml' is not there");
  }
  SECTION("it is cut") {
    const std::string whole = keyconf_text(keys);
    node.write_keyconf(whole.substr(0, whole.size() / 2));
    node.failing(kNoChain, "no XML at byte");
  }
  SECTION("it is of another namespace") {
    node.write_keyconf("<keyConf xmlns='urn:other'/>");
    node.failing(kNoChain, "not X-Road's keyConf");
  }
  SECTION("it has a document type") {
    node.write_keyconf("<!DOCTYPE k [<!ENTITY a 'b'>]>" + keyconf_text({}).substr(56));
    node.failing(kNoChain, "document type");
  }
  SECTION("only signing keys") {
    node.write_keyconf({keys[1]});
    node.failing(kNoChain, "no authentication certificate that is active and registered (0");
  }
  SECTION("not active") {
    keys[0].active = "false";
    node.write_keyconf(keys);
    node.failing(kNoChain, "(1 are not)");
  }
  SECTION("not registered yet") {
    keys[0].status = "registration in progress";
    node.write_keyconf(keys);
    node.failing(kNoChain, "(1 are not)");
  }
  SECTION("a key whose id leads elsewhere") {
    keys[0].id = "../../../etc/shadow";
    node.write_keyconf(keys);
    node.failing(kNoChain, "cannot name a file");
  }
  SECTION("contents that are no certificate") {
    keys[0].contents = base64("0\x03nothing");
    node.write_keyconf(keys);
    node.failing(kNoEntity, "no certificate (");
  }
  SECTION("contents that are no base64") {
    keys[0].contents = "%%%%";
    node.write_keyconf(keys);
    node.failing(kNoEntity, "are no certificate");
  }
  SECTION("a second key that is usable is enough") {
    const Identity other = make_identity({"old", kNow - 9'000, kNow - 1, false, false}, &node.ca);
    keys.insert(keys.begin(), keys[0]);
    keys[0].contents = base64(other.der());
    node.write_keyconf(keys);
    CHECK(node.ask().ok);
  }
  SECTION("a key of a hardware module needs no file") {
    keys[0].device = "utimaco";
    keys[0].id = "no such file";
    node.write_keyconf(keys);
    CHECK(node.ask().ok);
  }
}

TEST_CASE("auth key: the key file of the software token must be there", "[companion]") {
  Node node;
  SECTION("missing") {
    node.tree.remove("signer/softtoken/AA01.p12");
    node.failing(kNoChain, "AA01.p12' is missing");
  }
  SECTION("empty") {
    node.tree.file("signer/softtoken/AA01.p12", "");
    node.failing(kNoChain, "is empty");
  }
  SECTION("something else") {
    node.tree.file("signer/softtoken/AA01.p12", "-----BEGIN");
    node.failing(kNoChain, "no PKCS #12");
  }
  SECTION("a directory") {
    node.tree.remove("signer/softtoken/AA01.p12").dir("signer/softtoken/AA01.p12");
    node.failing(kNoChain, "not a regular file");
  }
}

TEST_CASE("auth key: its dates, its CA and its registration are looked at", "[companion]") {
  Node node;
  auto keys = node.healthy_keys();
  const auto use = [&](const CertPlan& plan, const Identity& ca) {
    const Identity other = make_identity(plan, &ca);
    keys[0].contents = base64(other.der());
    node.write_keyconf(keys);
    node.write_global({{&node.ca}, {}, {&other}});
    node.store(other, make_ocsp(other, ca, node.fresh()));
  };
  SECTION("expired") {
    use({"ss1", kNow - 9'000, kNow - 1}, node.ca);
    node.failing(kNoChain, "expired at 2027-01-15T07:59:59Z");
  }
  SECTION("not yet valid") {
    use({"ss1", kNow + 1, kNow + 9'000}, node.ca);
    node.failing(kNoChain, "not valid before 2027-01-15T08:00:01Z");
  }
  SECTION("of a CA that is not approved") {
    use(node.valid("ss1"), make_identity({"Other CA", kNow - 9, kNow + 9, true}));
    node.failing(kNoChain, "no CA of the global configuration issued it");
  }
  SECTION("of a CA that only has the name of an approved one") {
    use(node.valid("ss1"), make_identity({"Test CA", kNow - 9, kNow + 9, true}));
    node.failing(kNoChain, "no CA of the global configuration issued it");
  }
  SECTION("of no registered server") {
    node.write_global({{&node.ca}, {}, {&node.sign}});
    node.failing(kNoChain, "no security server of the global configuration has it");
  }
  SECTION("without a global configuration") {
    node.tree.remove("globalconf/DEV/shared-params.xml");
    node.failing(kNoChain, "shared-params.xml': No such file");
  }
  SECTION("with a global configuration of nonsense") {
    node.tree.file("globalconf/DEV/shared-params.xml", "<a>");
    node.failing(kNoChain, "shared-params.xml: it is no XML");
  }
  SECTION("without a freshness") {
    node.write_global({{&node.ca}, {}, {&node.auth}, "soon"});
    node.failing(kNoChain, "ocspFreshnessSeconds");
  }
}

TEST_CASE("auth key: an OCSP response must be there, parse and be an answer", "[companion]") {
  Node node;
  const std::string good = make_ocsp(node.auth, node.ca, node.fresh());
  SECTION("missing") {
    node.tree.remove(node.stored_path(node.auth));
    node.failing(kNoOcsp, "the signer has no OCSP response for it");
  }
  SECTION("cut at any byte") {
    for (std::size_t size = 0; size < good.size(); size += 1 + size / 8) {
      node.store(node.auth, good.substr(0, size));
      node.failing(kNoOcsp, "does not parse");
    }
  }
  SECTION("followed by something") {
    node.store(node.auth, good + "x");
    node.failing(kNoOcsp, "does not parse");
  }
  SECTION("larger than any response") {
    node.store(node.auth, std::string(300'000, '0'));
    node.failing(kNoOcsp, "larger than");
  }
  SECTION("every refusal of a responder has its number") {
    for (const int status : {1, 2, 3, 5, 6}) {
      node.store(node.auth, make_refusal(status));
      node.failing("Authentication key OCSP response status " + std::to_string(status),
                   "the OCSP responder answered");
    }
  }
}

TEST_CASE("auth key: an OCSP response that is being written is read once more", "[companion]") {
  Node node;
  // The signer ends its writing where nobody is waited for.
  struct Writing final : Clock {
    SteadyClock real;
    std::function<void()> write;
    int waits = 0;
    Instant now() const override { return real.now(); }
    int poll(std::span<pollfd> fds, Instant deadline) override {
      if (!fds.empty()) return real.poll(fds, deadline);
      ++waits;
      write();
      return 0;
    }
  } clock;
  const std::string whole = make_ocsp(node.auth, node.ca, node.fresh());
  clock.write = [&] { node.store(node.auth, whole); };
  AuthKeyCheck check({node.settings(), "127.0.0.1", node.signer.port()}, node.wall());
  for (const std::size_t size : {std::size_t{0}, whole.size() / 2}) {
    node.store(node.auth, whole.substr(0, size));
    CHECK(check.ask(clock, clock.now() + 5s).ok);
  }
  CHECK(clock.waits == 2);
  // One that was left like that is broken.
  node.store(node.auth, whole.substr(0, whole.size() / 2));
  const std::array<timespec, 2> old{};
  REQUIRE(::utimensat(AT_FDCWD, node.tree.path_of(node.stored_path(node.auth)).c_str(), old.data(),
                      0) == 0);
  CHECK_FALSE(check.ask(clock, clock.now() + 5s).ok);
  CHECK(clock.waits == 2);
}

TEST_CASE("auth key: an OCSP response must be good, fresh and about it", "[companion]") {
  Node node;
  OcspPlan plan = node.fresh();
  const auto made = [&] { return make_ocsp(node.auth, node.ca, plan); };
  SECTION("revoked") {
    plan.status = V_OCSP_CERTSTATUS_REVOKED;
    node.failing_ocsp(made(), "revoked since 2027-01-15T07:59:00Z, reason keyCompromise");
  }
  SECTION("unknown") {
    plan.status = V_OCSP_CERTSTATUS_UNKNOWN;
    node.failing_ocsp(made(), "unknown to the responder");
  }
  SECTION("as old as allowed, and a second older") {
    plan.this_update = kNow - 3'600;
    node.store(node.auth, made());
    CHECK(node.ask().ok);
    plan.this_update -= 1;
    node.failing_ocsp(made(), "older than the 60 min of ocspFreshnessSeconds");
  }
  SECTION("nextUpdate is over") {
    plan.next_update = kNow - 1;
    node.failing_ocsp(made(), "nextUpdate of its OCSP response was at 2027-01-15T07:59:59Z");
    node.write_next_update("false");
    CHECK(node.ask().ok);
    node.tree.remove("globalconf/DEV/nextupdate-params.xml");
    node.write_next_update("true");
    CHECK_FALSE(node.ask().ok);
  }
  SECTION("without a nextUpdate") {
    plan.next_update.reset();
    node.store(node.auth, made());
    CHECK(node.ask().ok);
  }
  SECTION("about another certificate") {
    node.failing_ocsp(make_ocsp(node.sign, node.ca, plan), "about another certificate");
  }
  SECTION("with an id of SHA-256") {
    plan.digest = EVP_sha256();
    node.store(node.auth, made());
    CHECK(node.ask().ok);
  }
  SECTION("altered") {
    std::string bytes = made();
    const std::size_t at = bytes.find("20270115");
    REQUIRE(at != bytes.npos);
    bytes[at + 7] = '6';
    node.failing_ocsp(bytes, "or it was altered");
  }
}

TEST_CASE("auth key: only who may answer for the CA is believed", "[companion]") {
  Node node;
  OcspPlan plan = node.fresh();
  plan.enclose = GENERATE(true, false);
  plan.by_key = GENERATE(true, false);
  const auto signed_by = [&](const Identity& signer) {
    plan.signer = &signer;
    return make_ocsp(node.auth, node.ca, plan);
  };
  CertPlan responder = node.valid("responder");
  SECTION("the CA itself") {
    node.store(node.auth, signed_by(node.ca));
    CHECK(node.ask().ok);
  }
  SECTION("a responder of the global configuration, whoever issued it") {
    const Identity named = make_identity(responder);
    node.write_global({{&node.ca}, {&named}, {&node.auth}});
    node.store(node.auth, signed_by(named));
    CHECK(node.ask().ok);
  }
  SECTION("a responder of another CA") {
    const Identity other = make_identity({"Other CA", kNow - 9, kNow + 9, true});
    const Identity named = make_identity(responder);
    node.write_global({{&other, &node.ca}, {&named}, {&node.auth}});
    node.failing_ocsp(signed_by(named), "CN=responder, serial ");
  }
  SECTION("a certificate of the CA without the right to sign") {
    plan.enclose = true;
    node.failing_ocsp(signed_by(make_identity(responder, &node.ca)), "may not answer for its CA");
  }
  SECTION("a delegate of the CA") {
    plan.enclose = true;
    responder.ocsp_signing = true;
    node.store(node.auth, signed_by(make_identity(responder, &node.ca)));
    CHECK(node.ask().ok);
  }
  SECTION("a delegate of a CA of the same name") {
    plan.enclose = true;
    responder.ocsp_signing = true;
    const Identity false_ca = make_identity({"Test CA", kNow - 9, kNow + 9, true});
    node.failing_ocsp(signed_by(make_identity(responder, &false_ca)), "may not answer");
  }
  SECTION("a stranger") {
    const char* reason = plan.enclose ? "may not answer" : "nobody we know signed";
    node.failing_ocsp(signed_by(make_identity(responder)), reason);
  }
}

TEST_CASE("auth key: a new global configuration is noticed", "[companion]") {
  Node node;
  AuthKeyCheck check({node.settings(), "127.0.0.1", node.signer.port()}, node.wall());
  CHECK(check.ask(node.clock, node.clock.now() + 5s).ok);
  node.tree.remove("globalconf/DEV/shared-params.xml");  // X-Road replaces the file
  node.write_global({{&node.ca}, {}, {&node.auth, &node.sign}, "30"});
  CHECK_FALSE(check.ask(node.clock, node.clock.now() + 5s).ok);
}

TEST_CASE("auth key: the responses of openssl's own responder are understood", "[companion]") {
  // Real time and the command line: nothing of it is made by our fixtures but the certificates.
  TempDir dir;
  KeyNode node;
  const std::int64_t now = wall_now();
  const Identity ca = make_identity({"CLI CA", now - 60, now + 86'400, true});
  const Identity auth = make_identity({"cli", now - 60, now + 86'400}, &ca);
  const std::string ca_path = dir.write("ca.pem", ca.pem());
  const std::string ca_key = dir.write("ca.key", ca.key_pem());
  const std::string auth_path = dir.write("auth.pem", auth.pem());
  auto keys = node.healthy_keys();
  keys[0].contents = base64(auth.der());
  node.write_keyconf(keys);
  node.write_global({{&ca}, {}, {&auth}});
  const std::string serial = run({"openssl", "x509", "-in", auth_path, "-noout", "-serial"});
  const std::string number = serial.substr(7, serial.size() - 8);
  const auto answer = [&](const std::string& index) {
    dir.write("index.txt", index);
    run({"openssl", "ocsp", "-index", dir / "index.txt", "-CA", ca_path, "-rsigner", ca_path,
         "-rkey", ca_key, "-issuer", ca_path, "-cert", auth_path, "-respout", dir / "response",
         "-nmin", "10", "-noverify"});
    node.store(auth, dir.read("response"));
    SilentPort signer;
    SteadyClock clock;
    AuthKeyCheck check({node.settings(), "127.0.0.1", signer.port()});
    return check.ask(clock, clock.now() + 5s);
  };
  CHECK(answer("V\t400101000000Z\t\t" + number + "\tunknown\t/CN=cli\n").ok);
  CHECK_THAT(answer("R\t400101000000Z\t250101000000Z\t" + number + "\tunknown\t/CN=cli\n").detail,
             Contains("revoked since 2025-01-01T00:00:00Z"));
  CHECK_THAT(answer("").detail, Contains("unknown to the responder"));
}

TEST_CASE("sign keys: every member with a signing certificate needs a usable one", "[companion]") {
  KeyNode node;
  SteadyClock clock;
  const auto ask = [&] {
    return SignKeysCheck(node.settings(), node.wall()).ask(clock, clock.now() + 5s);
  };
  auto keys = node.healthy_keys();
  CHECK(ask().ok);
  SECTION("none at all") {
    node.write_keyconf({keys[0]});
    CHECK(ask().message == "No signing key available");
  }
  SECTION("revoked") {
    OcspPlan plan = node.fresh();
    plan.status = V_OCSP_CERTSTATUS_REVOKED;
    node.store(node.sign, make_ocsp(node.sign, node.ca, plan));
    CHECK(ask().message == "No signing key available");
    CHECK_THAT(ask().detail, Contains("DEV/COM/1234: CN=member 1234") && Contains("revoked"));
  }
  SECTION("one member of two") {
    const Identity other = make_identity(node.valid("member 77"), &node.ca);
    KeyPlan second = keys[1];
    second.contents = base64(other.der());
    second.member = "77";
    keys.push_back(second);
    node.write_keyconf(keys);
    CHECK(ask().message == "Signing key is not available for every member");
    CHECK_THAT(ask().detail, Contains("DEV/COM/77") && !Contains("1234"));
    node.store(other, make_ocsp(other, node.ca, node.fresh()));
    CHECK(ask().ok);
  }
  SECTION("hundreds are counted, five are named") {
    const Identity other = make_identity(node.valid("one of many"), &node.ca);
    for (int i = 0; i < 400; ++i) {
      KeyPlan more = keys[1];
      more.contents = base64(other.der());
      more.member = std::to_string(10'000 + i);
      keys.push_back(more);
    }
    node.write_keyconf(keys);
    const Verdict verdict = ask();
    CHECK(verdict.message == "Signing key is not available for every member");
    CHECK_THAT(verdict.detail, Contains("DEV/COM/10004") && !Contains("DEV/COM/10005") &&
                                   Contains("; and 395 more"));
  }
  SECTION("an old certificate beside a new one is no trouble") {
    const Identity old = make_identity({"old", kNow - 9, kNow - 1}, &node.ca);
    KeyPlan second = keys[1];
    second.contents = base64(old.der());
    keys.push_back(second);
    node.write_keyconf(keys);
    CHECK(ask().ok);
  }
}
