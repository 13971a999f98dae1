// SPDX-License-Identifier: MIT
// HttpPeer: a server on the loopback that answers every connection with the same bytes, as rudely
// as the plan says. Runs in a thread of its own; ends with the fixture.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "base/fd.h"

namespace xs::test {

struct HttpPlan {
  std::string reply;                   // every byte of it
  std::size_t piece = 1U << 16;        // sent at once
  std::chrono::milliseconds pause{0};  // between pieces
  bool hold = false;                   // keeps the connection open after the reply
  bool endless = false;                // repeats the reply's last byte until nobody listens
  bool reset = false;                  // ends with a reset
};

// A whole reply with its length.
std::string http_reply(int status, const std::string& body);

class HttpPeer {
 public:
  explicit HttpPeer(HttpPlan plan);
  explicit HttpPeer(const std::string& body) : HttpPeer(HttpPlan{http_reply(200, body)}) {}
  ~HttpPeer();
  HttpPeer(const HttpPeer&) = delete;
  HttpPeer& operator=(const HttpPeer&) = delete;
  std::uint16_t port() const { return port_; }
  // What the last client asked.
  std::string request() const;

 private:
  void serve();
  void answer(int client);
  bool wait(int fd, short events, std::chrono::milliseconds time) const;

  HttpPlan plan_;
  std::uint16_t port_ = 0;  // set while listener_ is made
  Fd listener_, stop_;
  mutable std::mutex lock_;
  std::string request_;
  std::thread thread_;
};

}  // namespace xs::test
