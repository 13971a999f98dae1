// SPDX-License-Identifier: MIT
// Listeners that take connections into their backlog and never say a word.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "base/fd.h"

namespace xs::test {

class SilentPort {
 public:
  SilentPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (!fd_ || ::bind(fd_.get(), raw, size) != 0 || ::listen(fd_.get(), 64) != 0 ||
        ::getsockname(fd_.get(), raw, &size) != 0) {
      throw std::runtime_error("silent port: " + errno_text(errno));
    }
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }

 private:
  Fd fd_;
  std::uint16_t port_ = 0;
};

// A listener whose backlog is full drops what comes next, as a host that is down does.
class FullPort {
 public:
  FullPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* raw = reinterpret_cast<sockaddr*>(&address_);
    if (!fd_ || ::bind(fd_.get(), raw, size) != 0 || ::listen(fd_.get(), 0) != 0 ||
        ::getsockname(fd_.get(), raw, &size) != 0) {
      throw std::runtime_error("full port: " + errno_text(errno));
    }
    for (Fd& filler : fillers_) {
      filler = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      [[maybe_unused]] const int pending = ::connect(filler.get(), raw, size);
    }
  }
  std::uint16_t port() const { return ntohs(address_.sin_port); }

 private:
  sockaddr_in address_{};
  Fd fd_;
  std::array<Fd, 4> fillers_;
};

class SilentSocket {
 public:
  explicit SilentSocket(std::string path)
      : path_(std::move(path)), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) throw std::runtime_error("long path: " + path_);
    std::memcpy(address.sun_path, path_.data(), path_.size());
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    if (!fd_ || ::bind(fd_.get(), raw, sizeof address) != 0 || ::listen(fd_.get(), 8) != 0) {
      throw std::runtime_error("silent socket: " + errno_text(errno));
    }
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Fd fd_;
};

}  // namespace xs::test
