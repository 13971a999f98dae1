// SPDX-License-Identifier: MIT
#include "companion/listen.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses resolve(const ListenAddress& endpoint, const std::string& what) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int result =
      ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (result != 0) {
    throw Error(Fault::Usage, endpoint.where + ": the " + what + " cannot listen on " +
                                  quote(endpoint.host) + ": " + ::gai_strerror(result) +
                                  ": give an address of this host");
  }
  return {found, &::freeaddrinfo};
}

}  // namespace

Fd listen_on(const ListenAddress& endpoint, const std::string& what, const std::string& advice) {
  const Addresses addresses = resolve(endpoint, what);
  const std::string place = escape(endpoint.host) + " port " + std::to_string(endpoint.port);
  const addrinfo& first = *addresses;
  Fd fd(::socket(first.ai_family, first.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                 first.ai_protocol));
  if (!fd) throw_errno(Fault::Start, "socket", place);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), first.ai_addr, first.ai_addrlen) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    const int code = errno;
    std::string text =
        "the " + what + " cannot use " + place + " (" + endpoint.where + "): " + errno_text(code);
    if (code == EADDRINUSE) text += ": " + advice;
    if (code == EACCES) text += ": take a port of 1024 or above";
    if (code == EADDRNOTAVAIL) text += ": give an address of this host";
    throw Error(code == EADDRNOTAVAIL ? Fault::Usage : Fault::Start, text, code);
  }
  return fd;
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw_errno(Fault::Start, "getsockname", "port");
  }
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

PeerAddress peer_address(const sockaddr* address) {
  PeerAddress key{};
  if (address == nullptr) return key;
  if (address->sa_family == AF_INET) {
    key[10] = key[11] = 0xff;
    std::memcpy(&key[12], &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
  } else if (address->sa_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    const bool whole = IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_LOOPBACK(&v6);
    std::memcpy(key.data(), &v6, whole ? 16 : 8);
  }
  return key;
}

std::string address_text(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address == nullptr) return "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size()) == nullptr ? ""
                                                                                    : text.data();
  }
  if (address->sa_family != AF_INET6) return "";
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6);
  const void* bytes = mapped ? &v6.s6_addr[12] : &v6.s6_addr[0];
  if (::inet_ntop(mapped ? AF_INET : AF_INET6, bytes, text.data(), text.size()) == nullptr) {
    return "";
  }
  return mapped ? text.data() : "[" + std::string(text.data()) + "]";
}

bool is_loopback(const sockaddr* address) {
  if (address == nullptr) return false;
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
  }
  if (address->sa_family != AF_INET6) return false;
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

}  // namespace xs
