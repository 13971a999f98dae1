// SPDX-License-Identifier: MIT
// The unit as systemd would start it, without systemd: its ExecStart line with our settings, and a
// notification socket of the test's own.
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "base/io.h"
#include "base/text.h"
#include "tests/companion/ports.h"
#include "tests/support/daemon.h"
#include "tests/support/free_port.h"
#include "tests/support/temp_tree.h"

using namespace xs;
using namespace std::chrono_literals;

namespace {

std::string unit_value(const std::string& key) {
  const std::string unit = "\n" + read_file(XS_COMPANION_UNIT, 1U << 16);
  const std::size_t at = unit.find("\n" + key + "=");
  REQUIRE(at != std::string::npos);
  REQUIRE(unit.find("\n" + key + "=", at + 1) == std::string::npos);
  const std::size_t from = at + key.size() + 2;
  return unit.substr(from, unit.find('\n', from) - from);
}

// NOTIFY_SOCKET, as systemd gives it: what arrives is said once.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::setenv("NOTIFY_SOCKET", path.c_str(), 1) == 0);
  }
  ~NotifySocket() { ::unsetenv("NOTIFY_SOCKET"); }

  // The next state, within 20 s of real time; empty: none came.
  std::string next() {
    std::array<char, 256> text{};
    pollfd wait{fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, 20'000) != 1) return "";
    const ssize_t got = ::recv(fd_.get(), text.data(), text.size(), 0);
    return got <= 0 ? "" : std::string(text.data(), static_cast<std::size_t>(got));
  }

 private:
  Fd fd_;
};

}  // namespace

TEST_CASE("unit: its own ExecStart line reports ready, alive and stopping", "[companion]") {
  CHECK(unit_value("Type") == "notify");
  // Fed once a second.
  const auto watchdog = parse_number(unit_value("WatchdogSec"));
  REQUIRE(watchdog);
  CHECK(*watchdog >= 10);

  test::TempTree tree;
  tree.file("xroad/conf.d/node.ini", "[node]\ntype=master\n");
  const std::uint16_t health = test::free_port();
  tree.file("companion.ini", "[proxy]\nhealth-check-interface = 127.0.0.1\nhealth-check-port = " +
                                 std::to_string(health) +
                                 "\n[admin]\nport = 0\n[checks]\nsync-age = true\n");
  std::vector<std::string> argv;
  std::istringstream words(unit_value("ExecStart"));
  for (std::string word; words >> word;) argv.push_back(word);
  REQUIRE(argv.size() >= 2);
  CHECK(argv[0].ends_with("/xroad-companion"));
  argv[0] = XS_COMPANION;
  const std::vector<std::string> places = {"--config", tree.path_of("companion.ini"), "--xroad",
                                           tree.path_of("xroad")};
  argv.insert(argv.begin() + 1, places.begin(), places.end());

  NotifySocket socket(tree.path_of("notify"));
  test::Daemon daemon(argv, tree.path_of("log"));
  CHECK(socket.next() == "READY=1");
  // Ready means that a load balancer can ask.
  CHECK(test::http_ask(health, "GET /").status() == "HTTP/1.1 500 Internal Server Error");
  CHECK(socket.next() == "WATCHDOG=1");
  CHECK(socket.next() == "WATCHDOG=1");
  CHECK_THAT(daemon.log(), Catch::Contains("check sync-age is switched on, and not asked: "
                                           "not on a primary"));
  daemon.signal(SIGTERM);
  std::string last = socket.next();
  while (last == "WATCHDOG=1") last = socket.next();
  CHECK(last == "STOPPING=1");
  CHECK(daemon.wait() == 0);
}
