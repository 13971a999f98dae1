// SPDX-License-Identifier: MIT
#include "cli/server_log.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>

#include "protocol/host_key.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace xs;
using Catch::Contains;
using cli::Caller;
using cli::caller_of;
using cli::session_line;

namespace {

// A log daemon that keeps what it gets.
class Daemon {
 public:
  explicit Daemon(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  std::string next() const {
    std::array<char, 8192> text{};
    const ssize_t size = ::recv(fd_.get(), text.data(), text.size(), 0);
    return size < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  Fd fd_;
};

}  // namespace

TEST_CASE("server_log: the client is who sshd says, or unknown", "[cli]") {
  const Caller good = caller_of("192.0.2.7 51514 192.0.2.1 22", "");
  CHECK(good.address == "192.0.2.7");
  CHECK(good.port == "51514");
  CHECK(good.key == "unknown");
  CHECK(caller_of("2001:db8::7 1 ::1 22", "").address == "2001:db8::7");
  CHECK(caller_of("fe80::1%eth0 1 ::1 22", "").address == "fe80::1%eth0");
  for (const char* bad : {"", "192.0.2.7", "192.0.2.7 0 x", "192.0.2.7 99999 x", "a\nb 1 x",
                          "192.0.2.7'x 22 y", "fe80::1%a\x1b[2J 1 x", "host 22 x"}) {
    INFO(bad);
    CHECK(caller_of(bad, "").address == "unknown");
    CHECK(caller_of(bad, "").port == "unknown");
  }
}

TEST_CASE("server_log: the key is shown as ssh-keygen shows it", "[cli]") {
  const std::string blob = "any bytes";
  const std::string line = "publickey ssh-ed25519 " + to_base64(blob) + "\n";
  CHECK(caller_of("", line).key == fingerprint({"ssh-ed25519", blob}));
  CHECK(caller_of("", "password\n" + line).key == fingerprint({"ssh-ed25519", blob}));
  CHECK(caller_of("", "publickey ssh-ed25519 ???\n").key == "unknown");
  CHECK(caller_of("", "publickey ssh-ed25519").key == "unknown");
}

TEST_CASE("server_log: a line tells who, what and how it ended, and cannot be forged", "[cli]") {
  SessionAccount account;
  account.hello = Hello{};
  account.hello->root = "/etc/x\n'y";
  account.hello->version = std::string(1000, 'v') + "\x1b[2J";
  account.hello->filters = {"- a", "- b"};
  account.hello->options.keep = {Keep::Permissions, Keep::Times};
  account.files = 3;
  account.bytes = 1234;
  cli::SessionEnd end;
  end.result = "committed\nForged line";
  end.sent = 11;
  end.received = 12;
  end.time = std::chrono::milliseconds(1500);
  const std::string line = session_line(caller_of("192.0.2.7 5 x", ""), account, end);
  CHECK_THAT(line, Contains("client=192.0.2.7 port=5 key=unknown root='/etc/x\\#012") &&
                       Contains("options=content,-pt rules=2") && Contains("files=3 bytes=1234") &&
                       Contains("sent=11 received=12 ms=1500") &&
                       Contains("done='committed\\#012"));
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find('\x1b') == std::string::npos);
  CHECK(line.size() < 1200);
  account.unchanged = true;
  end.failed = true;
  account.reason = "the true one";
  const std::string other = session_line({}, account, end);
  CHECK_THAT(other, Contains(" unchanged ") && Contains("failed='") &&
                        Contains("because='the true one'") && !Contains("files="));
  CHECK_THAT(session_line({}, {}, {}), Contains("root=none"));
}

TEST_CASE("server_log: it reaches the journal or syslog, and does without either", "[cli]") {
  const test::TempDir dir;
  const Daemon daemon(dir / "log");
  cli::ServerConfig config;
  config.log_socket = dir / "log";
  SECTION("the journal") {
    config.log = cli::LogTarget::Journal;
    cli::ServerLog(config).write(false, "a line");
    CHECK_THAT(daemon.next(), Contains("MESSAGE=a line\n") && Contains("PRIORITY=6\n") &&
                                  Contains("SYSLOG_IDENTIFIER=xroad-sync-server\n"));
  }
  SECTION("syslog") {
    config.log = cli::LogTarget::Syslog;
    cli::ServerLog(config).write(true, "a line");
    CHECK_THAT(daemon.next(),
               Catch::StartsWith("<28>xroad-sync-server[") && Catch::EndsWith("]: a line"));
  }
  SECTION("none") {
    config.log = cli::LogTarget::None;
    cli::ServerLog(config).write(true, "a line");
    CHECK(daemon.next() == "nothing");
  }
  SECTION("nobody listens") {
    config.log_socket = dir / "nobody";
    for (const auto target :
         {cli::LogTarget::Auto, cli::LogTarget::Journal, cli::LogTarget::Syslog}) {
      config.log = target;
      CHECK_NOTHROW(cli::ServerLog(config).write(true, "a line"));
    }
  }
}
