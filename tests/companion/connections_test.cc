// SPDX-License-Identifier: MIT
#include "companion/connections.h"

#include <sys/socket.h>

#include <array>
#include <memory>
#include <vector>

#include "base/fd.h"
#include "tests/support/catch.h"
#include "tests/support/raw_client.h"
#include "tests/support/stage_clock.h"

using namespace xs;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMany = 64;

PeerAddress number(unsigned i) {
  PeerAddress address{};
  address[0] = static_cast<std::uint8_t>(i);
  address[1] = static_cast<std::uint8_t>(i >> 8);
  return address;
}

struct Wire {
  Fd ours, theirs;
  bool is_cut() const {
    char byte = 0;
    return ::recv(theirs.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }
};

struct Table {
  test::StageClock clock;
  Connections connections{clock, kMany, 10s, 35s};
  std::vector<std::unique_ptr<Wire>> wires;

  Wire& open(unsigned address, bool asks) {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
    auto wire = std::make_unique<Wire>();
    wire->ours = Fd(pair[0]);
    wire->theirs = Fd(pair[1]);
    wires.push_back(std::move(wire));
    Wire& made = *wires.back();
    connections.opened(made.ours.get(), number(address));
    if (asks) connections.completed(made.ours.get());
    return made;
  }
};

}  // namespace

TEST_CASE("connections: many from one address never push out another's", "[companion]") {
  for (const bool flood_asks : {false, true}) {
    Table table;
    Wire& kept = table.open(1, true);
    Wire& fresh = table.open(1, false);
    for (unsigned i = 0; i < 10 * kMany; ++i) table.open(2, flood_asks);
    CHECK_FALSE(kept.is_cut());
    CHECK_FALSE(fresh.is_cut());
    CHECK(table.wires[2]->is_cut());
    CHECK_FALSE(table.wires.back()->is_cut());
  }
}

TEST_CASE("connections: silent ones of many addresses never push out one with an answer",
          "[companion]") {
  Table table;
  Wire& kept = table.open(0, true);
  for (unsigned i = 1; i < 10 * kMany; ++i) table.open(i, false);
  CHECK_FALSE(kept.is_cut());
}

TEST_CASE("connections: answered ones of many addresses leave newcomers a quarter of the room",
          "[companion]") {
  Table table;
  for (unsigned i = 1; i <= kMany; ++i) table.open(i, true);
  Wire& probe = table.open(0, false);  // a load balancer that has not spoken yet
  for (unsigned i = 0; i < kMany / 4 - 1; ++i) table.open(1000 + i, false);
  CHECK_FALSE(probe.is_cut());
  // And these, too, make room in their turn.
  for (unsigned i = 0; i < kMany; ++i) table.open(2000 + i, false);
  CHECK(probe.is_cut());
}

TEST_CASE("connections: what is closed is forgotten, and what is cut is cut once", "[companion]") {
  Table table;
  for (unsigned i = 0; i < 3 * kMany; ++i) table.open(i % 7, i % 3 == 0);
  table.clock.advance(36s);
  table.connections.sweep();
  for (const auto& wire : table.wires) {
    CHECK(wire->is_cut());
    table.connections.closed(wire->ours.get());
  }
  CHECK(table.connections.size() == 0);
  for (unsigned i = 0; i < kMany; ++i) CHECK_FALSE(table.open(9, false).is_cut());
}

TEST_CASE("connections: an address is one host, or one network of IPv6", "[companion]") {
  const auto v6 = [](const char* text) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    REQUIRE(::inet_pton(AF_INET6, text, &address.sin6_addr) == 1);
    return peer_address(reinterpret_cast<const sockaddr*>(&address));
  };
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  REQUIRE(::inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr) == 1);
  CHECK(peer_address(reinterpret_cast<const sockaddr*>(&v4)) == v6("::ffff:192.0.2.1"));
  CHECK(v6("2001:db8::1") == v6("2001:db8::2:1"));
  CHECK(v6("2001:db8::1") != v6("2001:db8:0:1::1"));
  CHECK(v6("::ffff:192.0.2.1") != v6("::ffff:192.0.2.2"));
  CHECK(v6("::1") != v6("::2"));
}
