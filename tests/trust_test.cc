// SPDX-License-Identifier: MIT
#include "cli/trust.h"

#include "base/error.h"
#include "tests/support/catch.h"

using namespace xs;
using cli::HostPort;
using cli::parse_host_port;

TEST_CASE("trust: a host comes with or without its port", "[cli]") {
  CHECK(parse_host_port("ss1") == HostPort{"ss1", 22});
  CHECK(parse_host_port("ss1:2222") == HostPort{"ss1", 2222});
  CHECK(parse_host_port("10.0.0.1:22") == HostPort{"10.0.0.1", 22});
  CHECK(parse_host_port("::1") == HostPort{"::1", 22});
  CHECK(parse_host_port("[::1]") == HostPort{"::1", 22});
  CHECK(parse_host_port("[::1]:65535") == HostPort{"::1", 65535});
}

TEST_CASE("trust: what is no host or no port is wrong usage", "[cli]") {
  for (const char* bad : {"", ":22", "ss1:", "ss1:0", "ss1:65536", "ss1:x", "-oProxyCommand=x",
                          "a b", "[::1", "[::1]x", "[]:22", "ss1:-1", "a\nb"}) {
    INFO(bad);
    try {
      parse_host_port(bad);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::Usage);
    }
  }
}
