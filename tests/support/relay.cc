// SPDX-License-Identifier: MIT
#include "tests/support/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <deque>
#include <list>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"

namespace xs::test {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;
constexpr std::size_t kQueue = std::size_t{64} << 20;

struct Chunk {
  Instant due;
  std::string bytes;  // empty: the end
};

// One direction of one connection.
struct Way {
  int from;
  int to;
  std::deque<Chunk> queue;
  std::size_t queued = 0;
  std::size_t sent = 0;  // of the front chunk
  std::uint64_t passed = 0;
  bool ended = false;   // read the end
  bool closed = false;  // passed the end on
};

struct Link {
  Fd client;
  Fd server;
  Way up;    // from the client
  Way down;  // from the server
  bool dead = false;
  bool stalled = false;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void no_delay(const Fd& fd) {
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

class Loop {
 public:
  Loop(int listener, int stop, std::uint16_t to, RelayPlan plan)
      : listener_(listener), stop_(stop), to_(to), plan_(plan) {}

  void run() {
    for (;;) {
      std::vector<pollfd> polls{{stop_, POLLIN, 0}, {listener_, POLLIN, 0}};
      Instant next = clock_.now() + std::chrono::hours(1);
      for (Link& link : links_) {
        if (link.stalled) continue;
        watch(link.up, polls, next);
        watch(link.down, polls, next);
      }
      clock_.poll(polls, next);
      if (polls[0].revents != 0) return;
      if (polls[1].revents != 0) accept();
      for (Link& link : links_) step(link);
      links_.remove_if([](const Link& link) { return link.dead; });
    }
  }

 private:
  void watch(const Way& way, std::vector<pollfd>& polls, Instant& next) {
    if (!way.ended && way.queued < kQueue) polls.push_back({way.from, POLLIN, 0});
    if (way.queue.empty()) return;
    if (way.queue.front().due > clock_.now()) {
      next = std::min(next, way.queue.front().due);
    } else {
      polls.push_back({way.to, POLLOUT, 0});
    }
  }

  void accept() {
    Fd client(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(to_);
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    if (!client || !server || ::connect(server.get(), raw, sizeof address) != 0) return;
    no_delay(client);
    no_delay(server);
    Link& link = links_.emplace_back();
    link.up.from = link.down.to = client.get();
    link.up.to = link.down.from = server.get();
    link.client = std::move(client);
    link.server = std::move(server);
  }

  void step(Link& link) {
    if (link.stalled) return;
    take(link, link.up);
    take(link, link.down);
    give(link, link.up);
    give(link, link.down);
    if (link.down.passed >= plan_.cut_after) cut(link);
    if (link.down.passed >= plan_.stall_after) link.stalled = true;
    if (link.up.closed && link.down.closed) link.dead = true;
  }

  void take(Link& link, Way& way) {
    while (!way.ended && way.queued < kQueue) {
      const ssize_t got = ::recv(way.from, piece_.data(), piece_.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (got < 0) {
        link.dead = true;
        return;
      }
      const auto size = static_cast<std::size_t>(got);
      way.queue.push_back({clock_.now() + plan_.delay, std::string(piece_.data(), size)});
      way.queued += size;
      way.ended = size == 0;
    }
  }

  void give(Link& link, Way& way) {
    while (!way.queue.empty() && way.queue.front().due <= clock_.now() && !link.dead) {
      const std::string& bytes = way.queue.front().bytes;
      if (bytes.empty()) {
        ::shutdown(way.to, SHUT_WR);
        way.closed = true;
        way.queue.pop_front();
        return;
      }
      std::size_t room = bytes.size() - way.sent;
      if (&way == &link.down) {
        const std::uint64_t limit = std::min(plan_.cut_after, plan_.stall_after);
        room = static_cast<std::size_t>(std::min<std::uint64_t>(room, limit - way.passed));
        if (room == 0) return;
      }
      const ssize_t put =
          ::send(way.to, bytes.data() + way.sent, room, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (put < 0) {
        link.dead = true;
        return;
      }
      way.sent += static_cast<std::size_t>(put);
      way.passed += static_cast<std::uint64_t>(put);
      if (way.sent < bytes.size()) continue;
      way.queued -= bytes.size();
      way.sent = 0;
      way.queue.pop_front();
    }
  }

  void cut(Link& link) {
    link.dead = true;
    if (plan_.cut == RelayPlan::Cut::End) {
      ::shutdown(link.client.get(), SHUT_RDWR);
      return;
    }
    const linger hard{1, 0};  // a close that sends a reset
    ::setsockopt(link.client.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }

  int listener_;
  int stop_;
  std::uint16_t to_;
  RelayPlan plan_;
  SteadyClock clock_;
  std::list<Link> links_;
  std::vector<char> piece_ = std::vector<char>(kPiece);
};

}  // namespace

Relay::Relay(std::uint16_t to, RelayPlan plan)
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  const int little = 8192;  // inherited by what is accepted
  if (plan.small_buffer) {
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
  }
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (!listener_ || ::bind(listener_.get(), raw, size) != 0 || ::listen(listener_.get(), 16) != 0 ||
      ::getsockname(listener_.get(), raw, &size) != 0) {
    throw std::runtime_error("relay: " + errno_text(errno));
  }
  port_ = ntohs(address.sin_port);
  Loop loop(listener_.get(), stop_.get(), to, plan);
  thread_ = std::thread([loop = std::move(loop)]() mutable { loop.run(); });
}

Relay::~Relay() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto put = ::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

}  // namespace xs::test
