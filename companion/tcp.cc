// SPDX-License-Identifier: MIT
#include "companion/tcp.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

struct Answer {
  std::vector<std::string> addresses;
  std::string reason;
};

int get_address(const std::string& host, const char* service, int flags, AddressList& list) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  const int rc = ::getaddrinfo(host.c_str(), service, &hints, &raw);
  list = AddressList(rc == 0 ? raw : nullptr, ::freeaddrinfo);
  return rc;
}

Answer ask(const std::string& host, int flags) {
  AddressList list(nullptr, ::freeaddrinfo);
  const int rc = get_address(host, nullptr, flags, list);
  if (rc != 0) return {{}, rc == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(rc)};
  Answer answer;
  for (const addrinfo* info = list.get(); info != nullptr; info = info->ai_next) {
    std::array<char, NI_MAXHOST> name{};
    if (::getnameinfo(info->ai_addr, info->ai_addrlen, name.data(), name.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      answer.addresses.emplace_back(name.data());
    }
  }
  return answer;
}

// What a thread that looks a name up shares with us; it may outlive our interest.
struct Lookup {
  Fd done;
  Answer answer;
  std::atomic<bool> ready{false};
};

// getaddrinfo() knows no deadline. Silent name servers hold each thread for about half a minute, so
// a daemon that asks every 30 s has two at the most.
Answer ask_until(const std::string& host, Clock& clock, Instant deadline) {
  auto shared = std::make_shared<Lookup>();
  shared->done = Fd(::eventfd(0, EFD_CLOEXEC));
  if (!shared->done) throw_errno(Fault::Network, "eventfd", host);
  try {
    std::thread([shared, host] {
      shared->answer = ask(host, 0);
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
              "the look-up of " + quote(host) + " takes too long; check the name servers");
}

// Empty: it failed, and the reason is set.
Fd try_address(const std::string& address, std::uint16_t port, Clock& clock, Instant deadline,
               std::string& reason, bool& late) {
  AddressList list(nullptr, ::freeaddrinfo);
  const int rc = get_address(address, std::to_string(port).c_str(), AI_NUMERICHOST, list);
  if (rc != 0) return reason = ::gai_strerror(rc), Fd();
  Fd fd(::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return reason = errno_text(errno), Fd();
  if (::connect(fd.get(), list->ai_addr, list->ai_addrlen) == 0) return fd;
  if (errno != EINPROGRESS) return reason = errno_text(errno), Fd();
  pollfd one{fd.get(), POLLOUT, 0};
  if (clock.poll({&one, 1}, deadline) == 0) {
    late = true;
    return reason = "no answer", Fd();
  }
  int err = 0;
  socklen_t size = sizeof err;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &err, &size) != 0) err = errno;
  if (err != 0) return reason = errno_text(err), Fd();
  return fd;
}

}  // namespace

std::vector<std::string> look_up(const std::string& host, Clock& clock, Instant deadline) {
  if (host.empty() || host.find('\0') != std::string::npos) {
    throw Error(Fault::Network, "there is no host named " + quote(host));
  }
  Answer answer = ask(host, AI_NUMERICHOST);
  if (answer.addresses.empty()) answer = ask_until(host, clock, deadline);
  if (!answer.addresses.empty()) return std::move(answer.addresses);
  throw Error(Fault::Network, "no address for " + quote(host) + ": " + answer.reason);
}

Instant share_of(Instant now, Instant deadline, std::size_t left) {
  if (now >= deadline || left <= 1) return deadline;
  return now + (deadline - now) / static_cast<Duration::rep>(left);
}

Fd tcp_open(const std::string& host, std::uint16_t port, Clock& clock, Instant deadline) {
  const std::vector<std::string> addresses = look_up(host, clock, deadline);
  std::string reasons;
  bool late = false;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    std::string reason;
    const Instant until = share_of(clock.now(), deadline, addresses.size() - i);
    if (Fd fd = try_address(addresses[i], port, clock, until, reason, late)) return fd;
    reasons += (reasons.empty() ? "" : "; ") + addresses[i] + ": " + reason;
  }
  throw Error(late ? Fault::ConnectTimeout : Fault::Network,
              "no connection to " + quote(host) + " port " + std::to_string(port) + ": " + reasons);
}

}  // namespace xs
