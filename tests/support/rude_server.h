// SPDX-License-Identifier: MIT
// RudeServer: an ssh server on libssh, in a thread, for what a real sshd never does. It serves one
// connection, lets every key in, and ends with the fixture.
#pragma once

#include <cstdint>
#include <string>
#include <thread>

#include "base/fd.h"

namespace xs::test {

struct Rudeness {
  bool refuse_exec = false;  // answers the request with a failure
  bool ignore_exec = false;  // closes the channel instead of an answer
  bool drop_line = false;    // closes the TCP connection instead of an answer
  std::string say;           // before it closes the channel
  bool disconnect = false;   // ends the session with a message, not the channel
};

class RudeServer {
 public:
  // `host_key`: the path of a private key.
  RudeServer(const std::string& host_key, Rudeness rudeness);
  ~RudeServer();
  RudeServer(const RudeServer&) = delete;
  RudeServer& operator=(const RudeServer&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_;
  Fd stop_;
  std::thread thread_;
};

}  // namespace xs::test
