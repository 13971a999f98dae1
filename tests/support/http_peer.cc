// SPDX-License-Identifier: MIT
#include "tests/support/http_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace xs::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kForever = 1h;

Fd listen_on_loopback(std::uint16_t& port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (!fd || ::bind(fd.get(), raw, size) != 0 || ::listen(fd.get(), 64) != 0 ||
      ::getsockname(fd.get(), raw, &size) != 0) {
    throw std::runtime_error("listen: " + errno_text(errno));
  }
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

std::string http_reply(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " Words\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

HttpPeer::HttpPeer(HttpPlan plan)
    : plan_(std::move(plan)),
      listener_(listen_on_loopback(port_)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this] { serve(); });
}

HttpPeer::~HttpPeer() {
  (void)::eventfd_write(stop_.get(), 1);
  thread_.join();
}

std::string HttpPeer::request() const {
  const std::lock_guard hold(lock_);
  return request_;
}

// False when the fixture ends first.
bool HttpPeer::wait(int fd, short events, std::chrono::milliseconds time) const {
  std::array polls{pollfd{stop_.get(), POLLIN, 0}, pollfd{fd, events, 0}};
  ::poll(polls.data(), polls.size(), static_cast<int>(time.count()));
  return polls[0].revents == 0;
}

void HttpPeer::serve() {
  while (wait(listener_.get(), POLLIN, kForever)) {
    const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client) answer(client.get());
  }
}

void HttpPeer::answer(int client) {
  std::string request;
  std::array<char, 4096> piece{};
  while (request.find("\r\n\r\n") == request.npos) {
    if (!wait(client, POLLIN, kForever)) return;
    const ssize_t got = ::recv(client, piece.data(), piece.size(), 0);
    if (got <= 0) return;
    request.append(piece.data(), static_cast<std::size_t>(got));
  }
  {
    const std::lock_guard hold(lock_);
    request_ = request;
  }
  for (std::size_t at = 0; at < plan_.reply.size(); at += plan_.piece) {
    const std::size_t size = std::min(plan_.piece, plan_.reply.size() - at);
    if (::send(client, plan_.reply.data() + at, size, MSG_NOSIGNAL) < 0) return;
    if (plan_.pause > 0ms && !wait(-1, 0, plan_.pause)) return;
  }
  const std::string more(4096, plan_.reply.empty() ? ' ' : plan_.reply.back());
  while (plan_.endless && wait(client, POLLOUT, kForever)) {
    if (::send(client, more.data(), more.size(), MSG_NOSIGNAL) < 0) return;
  }
  // Until the client hangs up, or the fixture ends.
  if (plan_.hold) wait(client, POLLIN | POLLRDHUP, kForever);
  if (plan_.reset) {
    const linger hard{1, 0};
    ::setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
}

}  // namespace xs::test
