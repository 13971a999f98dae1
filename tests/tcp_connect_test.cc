// SPDX-License-Identifier: MIT
#include "protocol/tcp_connect.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "tests/support/catch.h"
#include "tests/support/silent.h"

namespace xs::test {
namespace {

using namespace std::chrono_literals;

Error failure(const std::string& host, std::uint16_t port, std::chrono::milliseconds time,
              int family = AF_UNSPEC) {
  SteadyClock clock;
  try {
    const Fd fd = tcp_connect(host, port, family, clock, clock.now() + time);
  } catch (const Error& error) {
    return error;
  }
  throw std::logic_error("connected");
}

bool has(const Error& error, std::string_view text) {
  return error.text().find(text) != std::string::npos;
}

int option(const Fd& fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(fd.get(), level, name, &value, &size) == 0);
  return value;
}

// A port that nobody listens on: it was ours a moment ago.
std::uint16_t closed_port() { return SilentPort().port(); }

}  // namespace

TEST_CASE("tcp_connect: the socket is non-blocking, kept alive and sends at once", "[protocol]") {
  const SilentPort port;
  SteadyClock clock;
  const Fd fd = tcp_connect("127.0.0.1", port.port(), AF_UNSPEC, clock, clock.now() + 5s);
  REQUIRE((::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0);
  REQUIRE((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
  REQUIRE(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
}

TEST_CASE("tcp_connect: a refused port is a network fault that names address and reason",
          "[protocol]") {
  const Error error = failure("127.0.0.1", closed_port(), 5s);
  INFO(error.text());
  REQUIRE(error.fault() == Fault::Network);
  REQUIRE(has(error, "127.0.0.1: Connection refused"));
}

TEST_CASE("tcp_connect: a name that does not exist is a network fault", "[protocol]") {
  const Error error = failure("no-such-host.invalid", 22, 20s);
  INFO(error.text());
  REQUIRE((error.fault() == Fault::Network || error.fault() == Fault::ConnectTimeout));
  REQUIRE(has(error, "'no-such-host.invalid'"));
}

TEST_CASE("tcp_connect: a look-up ends at the deadline", "[protocol]") {
  const Error error = failure("no-such-host.invalid", 22, 0s);
  REQUIRE((error.fault() == Fault::ConnectTimeout || error.fault() == Fault::Network));
}

TEST_CASE("tcp_connect: hostile names reach no resolver", "[protocol]") {
  REQUIRE(failure("", 22, 1s).fault() == Fault::Network);
  REQUIRE(failure(std::string("local\0host", 10), 22, 1s).fault() == Fault::Network);
  REQUIRE_FALSE(has(failure("a\033[31m\nb", 22, 5s), "\033"));
}

TEST_CASE("tcp_connect: an address that does not answer ends at the deadline", "[protocol]") {
  const FullPort port;
  SteadyClock clock;
  const Instant start = clock.now();
  const Error error = failure("127.0.0.1", port.port(), 300ms);
  INFO(error.text());
  REQUIRE(error.fault() == Fault::ConnectTimeout);
  REQUIRE(has(error, "127.0.0.1: no answer"));
  REQUIRE(clock.now() - start >= 300ms);
  REQUIRE(clock.now() - start < 2s);
}

TEST_CASE("tcp_connect: the family is kept to", "[protocol]") {
  const SilentPort port;
  const Error error = failure("127.0.0.1", port.port(), 5s, AF_INET6);
  REQUIRE(error.fault() == Fault::Network);
}

TEST_CASE("tcp_connect: localhost is reached although only one of its addresses listens",
          "[protocol]") {
  const SilentPort port;  // on 127.0.0.1 only; ::1, where there is one, refuses
  SteadyClock clock;
  REQUIRE(tcp_connect("localhost", port.port(), AF_UNSPEC, clock, clock.now() + 10s));
}

}  // namespace xs::test
