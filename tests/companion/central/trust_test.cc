// SPDX-License-Identifier: MIT
// Who is believed to be the Central Server, and whatever the wire does.
#include <cstdlib>

#include "companion/tls_trust.h"
#include "companion/wall.h"
#include "tests/companion/central/center.h"
#include "tests/companion/pki.h"
#include "tests/support/catch.h"
#include "tests/support/free_port.h"
#include "tests/support/silent.h"
#include "tests/support/sshd.h"
#include "tests/support/tls_peer.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

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

}  // namespace

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
  accepted(own, {"--ca-file", center.dir.write("own.pem", own.pem())});
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
    return center.fail(code, center.words({where}, {"--fingerprint", pin, "--timeout", "3"}));
  };
  SECTION("nobody is there") {
    CHECK_THAT(fail(10, at(free_port())), Contains("Connection refused"));
    // No name of a host, so that no resolver is asked, which might be silent.
    CHECK_THAT(fail(10, "-.invalid"), Contains("no address for '-.invalid'"));
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
    CHECK_THAT(failed(30, plan, {"--timeout", "3"}), Contains("did not answer in time (0 bytes"));
  }
  SECTION("half a body, and silence") {
    plan.reply.resize(plan.reply.size() - 20);
    plan.hold = true;
    CHECK_THAT(failed(30, plan, {"--timeout", "3"}), Contains("did not answer in time ("));
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
