// SPDX-License-Identifier: MIT
#include "tests/companion/central/center.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "companion/wall.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using Catch::Contains;

namespace xs::test {

std::string body_of(const std::vector<NodeWords>& nodes, const std::string& self) {
  nlohmann::json body{{"is_ha_configured", true}, {"node_name", self}, {"later", {{"x", 1}}}};
  bool fine = true;
  for (const NodeWords& node : nodes) {
    nlohmann::json one{{"node_name", node.name},
                       {"node_address", node.name + ".example"},
                       {"status", node.status}};
    if (node.age >= 0) one["configuration_generated"] = utc_text(wall_now() - node.age);
    body["nodes"].push_back(one);
    fine = fine && node.status == "OK";
  }
  body["all_nodes_ok"] = fine;
  return body.dump();
}

std::string reply_of(const std::string& body, const std::string& status) {
  return "HTTP/1.1 " + status +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

TlsPlan serving(const std::string& reply) {
  TlsPlan plan;
  plan.reply = reply;
  plan.key = kKey;
  return plan;
}

Identity self_signed(const std::string& alt) {
  const std::int64_t now = wall_now();
  return make_identity({"cs1.example", now - 60, now + 86'400, false, false, alt});
}

std::string pin_of(const Identity& identity) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(identity.certificate.get(), EVP_sha256(), digest.data(), &size);
  return hex({reinterpret_cast<const char*>(digest.data()), size});
}

Center::Center() {
  dir.write("companion.ini", "");
  dir.write("key", std::string(kKey) + "\n");
}

std::vector<std::string> Center::line(const std::vector<std::string>& words) const {
  std::vector<std::string> all{XS_COMPANION, "--config",   dir / "companion.ini",
                               "--xroad",    dir / "none", "replication",
                               "status"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

std::string Center::run(int code, const std::vector<std::string>& words) const {
  const Outcome outcome = run_program(line(words));
  const std::string both = outcome.out + outcome.end;
  INFO(both);
  CHECK_THAT(outcome.end, Catch::EndsWith("status " + std::to_string(code)));
  CHECK_THAT(both, !Contains(kKeyBegin));
  return both;
}

std::vector<std::string> Center::words(const std::vector<std::string>& servers,
                                       const std::vector<std::string>& more) const {
  std::vector<std::string> all{"--no-database", "--api-key-file", dir / "key"};
  if (std::find(more.begin(), more.end(), "--timeout") == more.end()) {
    all.insert(all.end(), {"--timeout", "5"});
  }
  for (const std::string& server : servers) {
    all.emplace_back("--central-server");
    all.push_back(server);
  }
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string Center::fail(int code, const std::vector<std::string>& all) const {
  const std::string both = run(code, all);
  CHECK(std::count(both.begin(), both.end(), '\n') <= 1);
  std::vector<std::string> check = all;
  check.emplace_back("--check");
  const std::string seen = run(3, check);
  CHECK_THAT(seen, Catch::StartsWith("REPLICATION UNKNOWN - "));
  CHECK(std::count(seen.begin(), seen.end(), '\n') == 1);
  return both;
}

std::string answered(int code, const TlsPlan& plan, const std::vector<std::string>& more) {
  const Identity identity = self_signed();
  const TlsPeer peer(identity, plan);
  const Center center;
  std::vector<std::string> all{"--fingerprint", pin_of(identity)};
  all.insert(all.end(), more.begin(), more.end());
  return center.run(code, center.words({peer.where()}, all));
}

std::string failed(int code, const TlsPlan& plan, const std::vector<std::string>& more) {
  const Identity identity = self_signed();
  const TlsPeer peer(identity, plan);
  const Center center;
  std::vector<std::string> all{"--fingerprint", pin_of(identity)};
  all.insert(all.end(), more.begin(), more.end());
  const std::string text = center.fail(code, center.words({peer.where()}, all));
  CHECK_THAT(text, Contains("Central Server " + peer.where() + ": "));
  return text;
}

}  // namespace xs::test
