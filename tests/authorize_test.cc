// SPDX-License-Identifier: MIT
#include "cli/authorize.h"

#include "base/error.h"
#include "protocol/host_key.h"
#include "tests/support/catch.h"

using namespace xs;
using Catch::Contains;
using cli::authorized_line;

namespace {

std::string wire_string(const std::string& bytes) {
  return std::string(3, '\0') + static_cast<char>(bytes.size()) + bytes;
}

const std::string kKey =
    "ssh-ed25519 " + to_base64(wire_string("ssh-ed25519") + wire_string(std::string(32, 'k')));

std::string refusal(const std::string& text,
                    const std::string& server = "/usr/bin/xroad-sync-server") {
  try {
    return "accepted: " + authorized_line(text, server);
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Usage);
    return error.text();
  }
}

}  // namespace

TEST_CASE("authorize: a public key becomes a line that can run one program", "[cli]") {
  CHECK(authorized_line(kKey + " ss2 of member\n", cli::kServerProgram) ==
        "restrict,command=\"/usr/bin/xroad-sync-server\" " + kKey + " ss2 of member");
  CHECK(authorized_line("  " + kKey + "  ", "/opt/x") == "restrict,command=\"/opt/x\" " + kKey);
}

TEST_CASE("authorize: whatever is no single usable public key is refused", "[cli]") {
  CHECK_THAT(refusal(""), Contains("TYPE BASE64"));
  CHECK_THAT(refusal("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"), Contains("private half"));
  CHECK_THAT(refusal(kKey + "\n" + kKey), Contains("more than one line"));
  CHECK_THAT(refusal("command=\"sh\" " + kKey), Contains("TYPE BASE64"));
  CHECK_THAT(refusal(kKey.substr(0, kKey.size() - 4)), Contains("not a public key"));
  CHECK_THAT(refusal("ssh-rsa" + kKey.substr(11)), Contains("TYPE BASE64"));
  CHECK_THAT(refusal("ssh-dss " + to_base64(wire_string("ssh-dss") + wire_string("x"))),
             Contains("not a public key"));
}

TEST_CASE("authorize: a comment or a path cannot smuggle anything into the line", "[cli]") {
  const std::string line = authorized_line(kKey + " a\x1b[2Jb", cli::kServerProgram);
  CHECK(line.find('\x1b') == std::string::npos);
  for (const char* bad : {"", "relative", "/a b", "/a\"b", "/a\nb", "/a\\b"}) {
    CHECK_THAT(refusal(kKey, bad), Contains("absolute path"));
  }
}
