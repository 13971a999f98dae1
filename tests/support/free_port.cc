// SPDX-License-Identifier: MIT
#include "tests/support/free_port.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/fd.h"

namespace xs::test {
namespace {

constexpr unsigned kFirst = 20'000;
constexpr unsigned kCount = 12'000;

// A name that no second process gets as long as this one lives.
Fd reserve(unsigned port) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "xs-test-port-" + std::to_string(port);
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 ? std::move(fd) : Fd();
}

bool nobody_listens(unsigned port) {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;  // connections that have ended do not matter
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

std::uint16_t free_port() {
  static std::mutex mutex;
  static std::vector<Fd> reserved;
  static unsigned next = std::random_device{}();
  const std::lock_guard lock(mutex);
  for (unsigned i = 0; i < kCount; ++i) {
    const unsigned port = kFirst + next++ % kCount;
    Fd mine = reserve(port);
    if (!mine || !nobody_listens(port)) continue;
    reserved.push_back(std::move(mine));
    return static_cast<std::uint16_t>(port);
  }
  throw std::runtime_error("no port is free");
}

}  // namespace xs::test
