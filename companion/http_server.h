// SPDX-License-Identifier: MIT
// HttpServer: one port of the companion over libmicrohttpd, on one thread with epoll. It answers
// from memory only, so nothing that a client does slowly can hold it up: connections that finish no
// request are cut, oldest first when they grow many. Made by the service; throws Start when the
// library refuses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"

namespace xs {

struct HttpRequest {
  std::string method;
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;             // empty when bodies are not wanted
  bool from_this_host = false;  // by the loopback, or by the address that was asked
  std::string own_address;      // that was asked: "192.0.2.1", "[2001:db8::1]"
  bool cut = false;             // there were more headers or parameters than are kept

  // The first one of that name (header names without regard to case); nullptr: none.
  const std::string* header(std::string_view name) const;
  const std::string* parameter(std::string_view name) const;
};

struct HttpAnswer {
  unsigned status = 200;
  std::string body{};
  std::string content_type{};  // empty: no such header
};

// Called on the server's thread; must not block. What it throws becomes a 500 and a log line.
using HttpHandler = std::function<HttpAnswer(const HttpRequest&)>;

struct HttpLimits {
  unsigned connections = 512;
  std::size_t connection_memory = 8192;
  std::size_t body = 0;  // 0: bodies are thrown away, the answer does not wait for a large one
  Duration idle = std::chrono::seconds(30);  // X-Road's
  Duration first_request = std::chrono::seconds(10);
};

class HttpServer {
 public:
  // `listening` is a bound and listening socket (listen.h).
  HttpServer(Fd listening, HttpHandler handler, Clock& clock, HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;
  // Cuts connections past their time, and gives back the memory of a crowd that has gone. Called
  // about once a second, by one thread.
  void sweep();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace xs
