// SPDX-License-Identifier: MIT
// Who gets in, with which key, and what those read who do not.
#include <sys/stat.h>

#include <cstdlib>

#include "protocol/ssh_key.h"
#include "tests/integration/pump.h"
#include "tests/support/catch.h"
#include "tests/support/silent.h"
#include "tests/support/sshd.h"

namespace xs::test {
namespace {

using namespace std::chrono_literals;

std::string say(const SshTarget& target) {
  SteadyClock clock;
  return read_to_end(*open_ssh(target, Deadlines{}, clock), clock);
}

Error refusal(const SshTarget& target) {
  return error_of([&] { say(target); });
}

// SHA256:... as ssh-keygen prints it.
std::string fingerprint_of(const std::string& key) {
  const std::string line = run({"ssh-keygen", "-l", "-f", key + ".pub"});
  const auto at = line.find("SHA256:");
  return line.substr(at, line.find(' ', at) - at);
}

}  // namespace

TEST_CASE("ssh: every kind of key that we use gets in", "[integration]") {
  Sshd sshd;
  const KeyKind kind =
      GENERATE(KeyKind{"ed25519", 0, ""}, KeyKind{"ecdsa", 256, ""}, KeyKind{"ecdsa", 384, ""},
               KeyKind{"ecdsa", 521, ""}, KeyKind{"rsa", 3072, ""});
  INFO(kind.type << " " << kind.bits);
  REQUIRE(say(sshd.target("echo in", kind)) == "in\n");
}

TEST_CASE("ssh: a file key is sent without asking first whether the server likes it",
          "[integration]") {
  Sshd sshd;
  REQUIRE(say(sshd.target("echo in")) == "in\n");
  REQUIRE(sshd.log().find("Postponed publickey") == std::string::npos);
  REQUIRE(sshd.log().find("Failed none") == std::string::npos);
  REQUIRE(sshd.log().find("Accepted publickey") != std::string::npos);
}

TEST_CASE("ssh: a second identity file is tried after a first that is refused", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("echo in");
  target.identity_files.insert(target.identity_files.begin(), make_key(sshd.dir(), "stranger"));
  REQUIRE(say(target) == "in\n");
}

TEST_CASE("ssh: a refused login names the user, the host, each key and the way out",
          "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("true");
  target.identity_files = {make_key(sshd.dir(), "one"), make_key(sshd.dir(), "two")};
  const Error error = refusal(target);
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Auth);
  REQUIRE(has(error, target.user));
  REQUIRE(has(error, "127.0.0.1"));
  REQUIRE(has(error, fingerprint_of(target.identity_files[0])));
  REQUIRE(has(error, fingerprint_of(target.identity_files[1])));
  REQUIRE(has(error, "xroad-sync authorize"));
}

TEST_CASE("ssh: no more than six keys are tried", "[integration]") {
  Sshd sshd({{"ed25519"}, {"MaxAuthTries 20"}});
  SshTarget target = sshd.target("true");
  target.identity_files.clear();
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    target.identity_files.push_back(make_key(sshd.dir(), name));
  }
  const Error error = refusal(target);
  REQUIRE(error.fault() == Fault::Auth);
  REQUIRE(has(error, fingerprint_of(target.identity_files[5])));
  REQUIRE_FALSE(has(error, fingerprint_of(target.identity_files[6])));
}

TEST_CASE("ssh: a server that gives up after two keys is a refusal too", "[integration]") {
  Sshd sshd({{"ed25519"}, {"MaxAuthTries 2"}});
  SshTarget target = sshd.target("true");
  target.identity_files = {make_key(sshd.dir(), "a"), make_key(sshd.dir(), "b"),
                           make_key(sshd.dir(), "c")};
  const Error error = refusal(target);
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Auth);
}

TEST_CASE("ssh: a server that wants more than a key is a refusal that says so", "[integration]") {
  Sshd sshd({{"ed25519"}, {"AuthenticationMethods publickey,publickey"}});
  const Error error = refusal(sshd.target("true"));
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Auth);
  REQUIRE(has(error, "AuthenticationMethods"));
}

TEST_CASE("ssh: an RSA key of 2048 bits is refused by us", "[integration]") {
  Sshd sshd;
  const Error error = refusal(sshd.target("true", {"rsa", 2048, ""}));
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Auth);
  REQUIRE(has(error, "2048 bits"));
  REQUIRE(has(error, "ssh-keygen"));
}

TEST_CASE("ssh: a key file that others can read is refused with the command that mends it",
          "[integration]") {
  Sshd sshd;
  const SshTarget target = sshd.target("true");
  const unsigned mode = GENERATE(0644U, 0640U, 0620U, 0601U);
  ::chmod(target.identity_files[0].c_str(), mode);
  const Error error = refusal(target);
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Auth);
  REQUIRE(has(error, "chmod 600 '" + target.identity_files[0] + "'"));
}

TEST_CASE("ssh: a missing key, a directory and a text are refused by name", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("true");
  const std::string path = std::vector<std::string>{sshd.dir() / "nothing", sshd.dir().path(),
                                                    sshd.dir().write("text", "hello\n")}
                               .at(GENERATE(0U, 1U, 2U));
  target.identity_files = {path};
  const Error error = refusal(target);
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Auth);
  REQUIRE(has(error, path));
}

TEST_CASE("ssh: a protected key without an agent is refused and the agent is named",
          "[integration]") {
  Sshd sshd;
  const Error error = refusal(sshd.target("true", {"ed25519", 0, "a passphrase"}));
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Auth);
  REQUIRE(has(error, "passphrase"));
  REQUIRE(has(error, "ssh-add"));
}

TEST_CASE("ssh: a protected key in the old PEM form asks nobody either", "[integration]") {
  Sshd sshd;
  const SshTarget target = sshd.target("true", {"ecdsa", 256, ""});
  run({"ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "a passphrase", "-f",
       target.identity_files[0]});
  const Error error = refusal(target);
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Auth);
  REQUIRE(has(error, "ssh-add"));
}

TEST_CASE("ssh: a key that only the agent has gets in", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("echo in", GENERATE(KeyKind{}, KeyKind{"rsa", 3072, ""}));
  const Agent agent;
  agent.add(target.identity_files[0]);
  target.identity_files = {make_key(sshd.dir(), "stranger")};
  REQUIRE(refusal(target).fault() == Fault::Auth);  // use_agent is off
  target.use_agent = true;
  REQUIRE(say(target) == "in\n");
}

TEST_CASE("ssh: a protected file works through the agent, and is its first key", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("echo in");
  const Agent agent;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) {
    agent.add(make_key(sshd.dir(), name));
  }
  agent.add(target.identity_files[0]);
  run({"ssh-keygen", "-q", "-p", "-P", "", "-N", "a passphrase", "-f", target.identity_files[0]});
  target.use_agent = true;
  REQUIRE(say(target) == "in\n");
  REQUIRE(sshd.log().find("Failed publickey") == std::string::npos);
}

TEST_CASE("ssh: an agent that is silent is left at the login's deadline", "[integration]") {
  Sshd sshd;
  SshTarget target = sshd.target("true");
  target.identity_files = {make_key(sshd.dir(), "stranger")};
  target.use_agent = true;
  const SilentSocket agent(sshd.dir() / "silent");
  ::setenv("SSH_AUTH_SOCK", agent.path().c_str(), 1);
  SteadyClock clock;
  Deadlines deadlines;
  deadlines.login = 1s;
  const Instant start = clock.now();
  const Error error = error_of([&] { open_ssh(target, deadlines, clock); });
  ::unsetenv("SSH_AUTH_SOCK");
  INFO(error.text());
  REQUIRE(clock.now() - start < 3s);
  REQUIRE((error.fault() == Fault::Auth || error.fault() == Fault::Timeout));
}

TEST_CASE("ssh: what a target leaves open is filled in, what it says is kept", "[integration]") {
  SshTarget target;
  target.host = "host.example";
  const SshTarget whole = complete(target);
  REQUIRE_FALSE(whole.use_ssh_config);
  REQUIRE_FALSE(whole.user.empty());
  REQUIRE(whole.port == 22);
  REQUIRE(whole.known_hosts_files.size() == 2);
  REQUIRE(whole.known_hosts_files[0] == "/etc/xroad-sync/known_hosts");
  target.user = "somebody";
  target.identity_files = {"/key"};
  target.known_hosts_files = {"/known"};
  REQUIRE(complete(target).user == "somebody");
  REQUIRE(complete(target).identity_files == target.identity_files);
  REQUIRE(complete(target).known_hosts_files == target.known_hosts_files);
}

TEST_CASE("ssh key: RSA bits are those of the modulus", "[protocol]") {
  const std::string head("\0\0\0\7ssh-rsa\0\0\0\1\3", 16);
  REQUIRE(rsa_bits({"ssh-rsa", head + std::string("\0\0\0\3\0\x80\1", 7)}) == 16);
  REQUIRE(rsa_bits({"ssh-rsa", head + std::string("\0\0\0\2\x7f\1", 6)}) == 15);
  REQUIRE(rsa_bits({"ssh-rsa", head + std::string("\0\0\0\1\0", 5)}) == 0);
  REQUIRE(rsa_bits({"ssh-rsa", head + std::string("\0\0\0\x09\1", 5)}) == 0);
  REQUIRE(rsa_bits({"ssh-rsa", head.substr(0, 13)}) == 0);
  REQUIRE(rsa_bits({"ssh-rsa", ""}) == 0);
}

}  // namespace xs::test
