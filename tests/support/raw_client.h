// SPDX-License-Identifier: MIT
// RawClient: a TCP client on the loopback that sends and reads bytes as they are. Failures throw
// std::runtime_error; a wait ends after 20 s.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace xs::test {

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : RawClient("127.0.0.1", port) {}
  // `from`: the address that the other side sees, of 127.0.0.0/8.
  RawClient(const std::string& host, std::uint16_t port, const std::string& from = "")
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    if (::inet_pton(AF_INET, host.c_str(), &to.sin_addr) != 1) {
      throw std::runtime_error("no address: " + host);
    }
    to.sin_port = htons(port);
    sockaddr_in source{};
    source.sin_family = AF_INET;
    const bool bound =
        from.empty() ||
        (::inet_pton(AF_INET, from.c_str(), &source.sin_addr) == 1 &&
         ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0);
    if (!fd_ || !bound ||
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      throw std::runtime_error("connect: " + errno_text(errno));
    }
  }

  // Whether all of it was taken; false when the other side has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
  }
  void finish() { ::shutdown(fd_.get(), SHUT_WR); }

  // Until the other side closes, or resets.
  std::string read_to_end() {
    return read_until([](const std::string&) { return false; });
  }
  // Until `done` says so of what has come.
  template <class Done>
  std::string read_until(Done&& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::string all;
    while (!done(all)) {
      pollfd wait{fd_.get(), POLLIN, 0};
      ::poll(&wait, 1, 100);
      if (std::chrono::steady_clock::now() >= end) throw std::runtime_error("no end: " + all);
      if (wait.revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      all.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return all;
  }
  // Whether the other side has closed, without waiting.
  bool is_closed() {
    char byte = 0;
    const ssize_t got = ::recv(fd_.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
  }
  // The same, behind whatever it may have said, which is thrown away.
  bool has_ended() {
    std::array<char, 4096> buffer{};
    ssize_t got = 1;
    while (got > 0) got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

 private:
  Fd fd_;
};

// A whole exchange.
struct Reply {
  std::string head;  // status line and headers
  std::string body;
  std::string status() const { return head.substr(0, head.find("\r\n")); }
  bool has(std::string_view header) const { return head.find(header) != std::string::npos; }
};

inline Reply split_reply(const std::string& bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return {bytes, ""};
  return {bytes.substr(0, end + 2), bytes.substr(end + 4)};
}

inline Reply http_ask(const std::string& host, std::uint16_t port, const std::string& line,
                      const std::string& headers = "", const std::string& body = "") {
  RawClient client(host, port);
  client.send(line + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + "\r\n" +
              body);
  return split_reply(client.read_to_end());
}

inline Reply http_ask(std::uint16_t port, const std::string& line, const std::string& headers = "",
                      const std::string& body = "") {
  return http_ask("127.0.0.1", port, line, headers, body);
}

}  // namespace xs::test
