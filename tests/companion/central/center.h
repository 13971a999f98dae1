// SPDX-License-Identifier: MIT
// Somebody at a node of a Central Server who runs `xroad-companion replication status` against
// servers that speak TLS, and what such servers answer with. The key is looked for in every output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/companion/pki.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tls_peer.h"

namespace xs::test {

inline constexpr const char* kKey = "d56e1ca7-4134-4ed4-8030-5f330bdb602a";
inline constexpr const char* kKeyBegin = "d56e1ca7";

struct NodeWords {
  std::string name, status;
  std::int64_t age = 12;
};

std::string body_of(const std::vector<NodeWords>& nodes, const std::string& self = "node_0");
std::string reply_of(const std::string& body, const std::string& status = "200 ");
TlsPlan serving(const std::string& reply);

Identity self_signed(const std::string& alt = "IP:127.0.0.1");
std::string pin_of(const Identity& identity);

class Center {
 public:
  Center();
  std::vector<std::string> line(const std::vector<std::string>& words) const;
  // Both outputs; the exit code must be this one.
  std::string run(int code, const std::vector<std::string>& words) const;
  // These servers, without a database.
  std::vector<std::string> words(const std::vector<std::string>& servers,
                                 const std::vector<std::string>& more = {}) const;
  // An error is one line, and a monitor reads it as one.
  std::string fail(int code, const std::vector<std::string>& all) const;

  TempDir dir;
};

// What one server that is pinned answers with.
std::string answered(int code, const TlsPlan& plan, const std::vector<std::string>& more = {});
std::string failed(int code, const TlsPlan& plan, const std::vector<std::string>& more = {});

}  // namespace xs::test
