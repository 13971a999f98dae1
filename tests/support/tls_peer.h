// SPDX-License-Identifier: MIT
// TlsPeer: a server on the loopback that speaks TLS with the certificate that it is given, answers
// like a Central Server's REST interface, and can stop at any stage. In a thread of its own; ends
// with the fixture.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "tests/companion/pki.h"

namespace xs::test {

struct TlsPlan {
  std::string reply;     // every byte of it
  std::string key;       // who asks without this API key gets 401; empty: everybody is served
  bool hold = false;     // keeps the connection open after the reply, without a word
  bool endless = false;  // repeats the reply's last byte until nobody listens
  bool rude = false;     // ends without TLS's good-bye
  std::string plain;     // says this instead of speaking TLS
  bool hang_up = false;  // ends in the middle of the handshake
  int version = 0;       // the only one that it speaks, such as TLS1_1_VERSION
  std::size_t piece = 1U << 14;  // sent at once
};

class TlsPeer {
 public:
  TlsPeer(const Identity& identity, TlsPlan plan);
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;
  std::uint16_t port() const { return port_; }
  // "127.0.0.1:PORT"
  std::string where() const { return "127.0.0.1:" + std::to_string(port_); }
  // Each as it came.
  std::vector<std::string> requests() const;
  // The names under which clients asked for it (SNI); "" where they gave none.
  std::vector<std::string> names() const;

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  void serve();
  void answer(int client);
  bool wait(int fd, short events) const;
  // SSL calls until they are done; false: over.
  template <class Call>
  bool drive(SSL* ssl, int client, Call call) const;

  TlsPlan plan_;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::uint16_t port_ = 0;
  Fd listener_, stop_;
  mutable std::mutex lock_;
  std::vector<std::string> requests_, names_;
  std::thread thread_;
};

}  // namespace xs::test
