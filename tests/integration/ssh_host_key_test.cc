// SPDX-License-Identifier: MIT
// Which servers we talk to, and that nothing about us is told to the others.
#include "tests/integration/pump.h"
#include "tests/support/catch.h"
#include "tests/support/sshd.h"

namespace xs::test {
namespace {

std::string say(const SshTarget& target) {
  SteadyClock clock;
  return read_to_end(*open_ssh(target, Deadlines{}, clock), clock);
}

std::string name_of(const SshTarget& target) {
  return "[127.0.0.1]:" + std::to_string(target.port) + " ";
}

// The refusal, after which the server must not have heard of a user.
Error stranger(Sshd& sshd, const SshTarget& target) {
  const Error error = error_of([&] { say(target); });
  REQUIRE(error.fault() == Fault::HostKey);
  REQUIRE(sshd.log().find("publickey") == std::string::npos);
  return error;
}

std::string other_key(Sshd& sshd, const std::string& type) {
  make_key(sshd.dir(), "other_" + type, {type, 0, ""});
  const std::string text = sshd.dir().read("other_" + type + ".pub");
  return text.substr(0, text.find(' ', text.find(' ') + 1));
}

}  // namespace

TEST_CASE("ssh: an unknown host is refused", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("true");
  target.known_hosts_files = {sshd.dir() / "absent"};
  const Error error = stranger(sshd, target);
  INFO(error.text());
  REQUIRE(has(error, "unknown"));
  REQUIRE(has(error, "SHA256:"));
  REQUIRE_THROWS(sshd.dir().read("absent"));
}

TEST_CASE("ssh: a host whose key has changed is refused", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("true");
  target.known_hosts_files = {
      sshd.dir().write("kh", name_of(target) + other_key(sshd, "ed25519") + "\n")};
  const Error error = stranger(sshd, target);
  INFO(error.text());
  REQUIRE(has(error, "CHANGED"));
}

TEST_CASE("ssh: a host with a key of another type is refused", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("true");
  target.known_hosts_files = {
      sshd.dir().write("kh", name_of(target) + other_key(sshd, "ecdsa") + "\n")};
  const Error error = stranger(sshd, target);
  INFO(error.text());
  REQUIRE(has(error, "another type"));
}

TEST_CASE("ssh: a revoked key is refused although it is also listed", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("true");
  const std::string line = name_of(target) + sshd.host_key() + "\n";
  target.known_hosts_files = {sshd.dir().write("kh", line + "@revoked " + line)};
  const Error error = stranger(sshd, target);
  INFO(error.text());
  REQUIRE(has(error, "REVOKED"));
}

TEST_CASE("ssh: of a server's host keys the known one is asked for", "[integration]") {
  Sshd sshd({{"ed25519", "ecdsa", "rsa"}, {}});
  SshTarget target = sshd.target("echo in");
  const std::string type = GENERATE("ed25519", "ecdsa", "rsa");
  INFO(type);
  target.known_hosts_files = {sshd.dir().write("kh", name_of(target) + sshd.host_key(type) + "\n")};
  REQUIRE(say(target) == "in\n");
}

TEST_CASE("ssh: a server with nothing but weak algorithms gets no login", "[integration]") {
  const std::string line =
      GENERATE("Ciphers aes256-cbc", "KexAlgorithms diffie-hellman-group14-sha1",
               "HostKeyAlgorithms ssh-rsa", "MACs hmac-sha1\nCiphers aes256-ctr");
  Sshd sshd({{"rsa"}, {line}});
  SshTarget target = sshd.target("true");
  const Error error = error_of([&] { say(target); });
  INFO(line << ": " << error.text());
  REQUIRE(error.fault() == Fault::Network);
  REQUIRE(sshd.log().find("publickey") == std::string::npos);
}

TEST_CASE("ssh: with AES in the CPU the cipher is AES-GCM, without it chacha20", "[protocol]") {
  REQUIRE(ssh_algorithms({}, true).ciphers.starts_with("aes256-gcm@openssh.com,"));
  REQUIRE(ssh_algorithms({}, false).ciphers.starts_with("chacha20-poly1305@openssh.com,"));
  for (const bool aes : {false, true}) {
    const SshAlgorithms all = ssh_algorithms({"ssh-dss", "ssh-rsa"}, aes);
    for (const auto& list : {all.ciphers, all.key_exchange, all.macs, all.host_keys}) {
      INFO(list);
      REQUIRE(list.find("cbc") == std::string::npos);
      REQUIRE(list.find("sha1") == std::string::npos);
      REQUIRE(list.find("ssh-rsa") == std::string::npos);
      REQUIRE(list.find("dss") == std::string::npos);
    }
    REQUIRE(all.host_keys.starts_with("rsa-sha2-512,rsa-sha2-256,ssh-ed25519,"));
  }
}

}  // namespace xs::test
