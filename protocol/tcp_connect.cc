// SPDX-License-Identifier: MIT
#include "protocol/tcp_connect.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"

namespace xs {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text;
};

struct Answer {
  std::vector<Address> addresses;
  std::string reason;  // why there are none
};

std::string numeric(const addrinfo& info) {
  std::array<char, NI_MAXHOST> name{};
  const int rc = ::getnameinfo(info.ai_addr, info.ai_addrlen, name.data(), name.size(), nullptr, 0,
                               NI_NUMERICHOST);
  return rc == 0 ? std::string(name.data()) : "an address without a name";
}

Answer look_up(const std::string& host, const std::string& port, int family, int flags) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  const int rc = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &raw);
  if (rc == EAI_SYSTEM) return {{}, errno_text(errno)};
  if (rc != 0) return {{}, ::gai_strerror(rc)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(raw, ::freeaddrinfo);
  Answer answer;
  for (const addrinfo* info = raw; info != nullptr; info = info->ai_next) {
    Address address;
    std::memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
    address.size = info->ai_addrlen;
    address.text = numeric(*info);
    answer.addresses.push_back(std::move(address));
  }
  return answer;
}

// What a look-up thread shares with us; it may outlive our interest in it.
struct Lookup {
  Fd done;
  Answer answer;
  std::atomic<bool> ready{false};
};

// getaddrinfo() knows no deadline: resolv.conf alone may make it wait for half a minute.
Answer look_up_until(const std::string& host, const std::string& port, int family, Clock& clock,
                     Instant deadline) {
  auto shared = std::make_shared<Lookup>();
  shared->done = Fd(::eventfd(0, EFD_CLOEXEC));
  if (!shared->done) throw_errno(Fault::Network, "eventfd", host);
  try {
    std::thread([shared, host, port, family] {
      shared->answer = look_up(host, port, family, 0);
      shared->ready.store(true);
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto put = ::write(shared->done.get(), &one, sizeof one);
    }).detach();
  } catch (const std::system_error& error) {
    throw Error(Fault::Network, "no thread to look up " + quote(host) + ": " + error.what());
  }
  pollfd one{shared->done.get(), POLLIN, 0};
  clock.poll({&one, 1}, deadline);
  if (shared->ready.load()) return std::move(shared->answer);
  throw Error(Fault::ConnectTimeout,
              "the look-up of " + quote(host) +
                  " did not end before the connect deadline; check the name servers");
}

std::vector<Address> addresses_of(const std::string& host, std::uint16_t port, int family,
                                  Clock& clock, Instant deadline) {
  if (host.empty() || host.find('\0') != std::string::npos) {
    throw Error(Fault::Network, "there is no host named " + quote(host));
  }
  const std::string service = std::to_string(port);
  Answer answer = look_up(host, service, family, AI_NUMERICHOST);
  if (answer.addresses.empty()) answer = look_up_until(host, service, family, clock, deadline);
  if (!answer.addresses.empty()) return std::move(answer.addresses);
  throw Error(Fault::Network, "no address for " + quote(host) + ": " + answer.reason +
                                  "; check the name and the name servers");
}

void set_option(int fd, int level, int option) {
  const int on = 1;
  if (::setsockopt(fd, level, option, &on, sizeof on) != 0) {
    throw_errno(Fault::Network, "setsockopt", "connection");
  }
}

// All attempts of one tcp_connect().
class Race {
 public:
  Race(std::vector<Address> addresses, Clock& clock, Instant deadline)
      : addresses_(std::move(addresses)), clock_(clock), deadline_(deadline) {}

  // The winner, or nothing: every address failed, or the deadline is reached.
  Fd run() {
    turn_ = clock_.now();
    for (;;) {
      while (next_ < addresses_.size() && turn_ <= clock_.now() && clock_.now() < deadline_)
        start();
      if (flying_.empty() && next_ == addresses_.size()) return {};
      if (Fd won = land()) return won;
      if (clock_.now() >= deadline_) return {};
    }
  }

  bool late() const { return !flying_.empty() || next_ < addresses_.size(); }

  std::string reasons() {
    for (const Flight& flight : flying_) note(addresses_[flight.address].text, "no answer");
    for (; next_ < addresses_.size(); ++next_) note(addresses_[next_].text, "not tried");
    return reasons_;
  }

 private:
  struct Flight {
    Fd fd;
    std::size_t address;
  };

  void note(const std::string& address, const std::string& reason) {
    reasons_ += (reasons_.empty() ? "" : "; ") + address + ": " + reason;
  }

  void start() {
    const std::size_t index = next_++;
    const Address& to = addresses_[index];
    Fd fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return note(to.text, errno_text(errno));
    set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY);
    set_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE);
    const auto* address = reinterpret_cast<const sockaddr*>(&to.storage);
    if (::connect(fd.get(), address, to.size) != 0 && errno != EINPROGRESS) {
      return note(to.text, errno_text(errno));
    }
    flying_.push_back({std::move(fd), index});
    turn_ = clock_.now() + kConnectStagger;
  }

  Fd land() {
    std::vector<pollfd> polls;
    polls.reserve(flying_.size());
    for (const Flight& flight : flying_) polls.push_back({flight.fd.get(), POLLOUT, 0});
    const bool more = next_ < addresses_.size();
    clock_.poll(polls, more ? std::min(turn_, deadline_) : deadline_);
    for (std::size_t i = polls.size(); i-- > 0;) {
      if (polls[i].revents == 0) continue;
      int err = 0;
      socklen_t size = sizeof err;
      if (::getsockopt(polls[i].fd, SOL_SOCKET, SO_ERROR, &err, &size) != 0) err = errno;
      if (err == 0) return std::move(flying_[i].fd);
      note(addresses_[flying_[i].address].text, errno_text(err));
      flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(i));
      turn_ = clock_.now();
    }
    return {};
  }

  std::vector<Address> addresses_;
  Clock& clock_;
  Instant deadline_;
  Instant turn_;
  std::size_t next_ = 0;
  std::vector<Flight> flying_;
  std::string reasons_;
};

}  // namespace

Fd tcp_connect(const std::string& host, std::uint16_t port, int family, Clock& clock,
               Instant deadline) {
  Race race(addresses_of(host, port, family, clock, deadline), clock, deadline);
  if (Fd won = race.run()) return won;
  const bool late = race.late();
  throw Error(late ? Fault::ConnectTimeout : Fault::Network,
              "no connection to " + quote(host) + " port " + std::to_string(port) + ": " +
                  race.reasons() + (late ? "; the connect deadline is over" : "") +
                  "; check the network, and that sshd listens there");
}

}  // namespace xs
