// SPDX-License-Identifier: MIT
// Listen: the bound sockets of the companion's ports. Called by the service; throws Start when the
// port is taken or not ours to take, Usage when the address cannot be used, in words that name the
// setting that moves it.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>

#include "base/fd.h"

namespace xs {

struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;  // 0: off
  std::string where;       // who said so: "file:line" or "default"
};

// `what` is "health port"; `advice` says who may own the port and how to move ours.
Fd listen_on(const ListenAddress& endpoint, const std::string& what, const std::string& advice);

// Of a bound socket.
std::uint16_t bound_port(int fd);
// Who somebody is, for counting: an IPv4 address mapped into IPv6, or the network (/64) of an IPv6
// address, because whoever has one of its addresses has all of them.
using PeerAddress = std::array<std::uint8_t, 16>;
PeerAddress peer_address(const sockaddr* address);
// "192.0.2.1", also when it is mapped into IPv6, or "[2001:db8::1]"; empty: it is neither.
std::string address_text(const sockaddr* address);
// Whether a sockaddr is of this host itself: 127.0.0.0/8, also mapped into IPv6, or ::1.
bool is_loopback(const sockaddr* address);

}  // namespace xs
