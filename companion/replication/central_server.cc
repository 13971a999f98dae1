// SPDX-License-Identifier: MIT
#include "companion/replication/central_server.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "companion/replication/api_key.h"
#include "companion/tcp.h"
#include "companion/tls.h"

namespace xs {
namespace {

using nlohmann::json;

constexpr std::size_t kMostNodes = 64;
constexpr std::size_t kLongestWord = 255;

[[noreturn]] void no_status(const std::string& why) {
  throw Error(Fault::Protocol,
              "the answer is no state of a cluster (" + why +
                  "): is that the port of a Central Server's admin interface (4000)?");
}

// Null and absent are the same: X-Road leaves out what it does not know.
std::string word_in(const json& object, const char* name) {
  const auto value = object.find(name);
  if (value == object.end() || value->is_null()) return "";
  if (!value->is_string()) no_status(std::string(name) + " is no text");
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > kLongestWord) no_status(std::string(name) + " is too long");
  return text;
}

std::optional<bool> flag_in(const json& object, const char* name) {
  const auto value = object.find(name);
  if (value == object.end() || !value->is_boolean()) return std::nullopt;
  return value->get<bool>();
}

CentralNode parse_node(const json& object) {
  if (!object.is_object()) no_status("a node is no object");
  CentralNode node{word_in(object, "node_name"),
                   word_in(object, "node_address"),
                   word_in(object, "configuration_generated"),
                   {},
                   word_in(object, "status")};
  node.generated_at = parse_utc(node.generated);
  return node;
}

struct Refusal {
  int status;
  Fault fault;
  const char* text;
};
// What the interface answers to those whom it does not serve, and what mends it.
constexpr Refusal kRefusals[] = {
    {400, Fault::Auth,
     "the request is refused: where allowed-hostnames of [admin-service] is set there, ask by one "
     "of those names"},
    {401, Fault::Auth,
     "the API key is not known there: was it revoked, or made at another Central Server? Make one "
     "at Settings, API Keys"},
    {403, Fault::Auth,
     "the API key may not ask this, or not from here: it needs the role system administrator, "
     "security officer or registration officer, and regular-api-whitelist of [admin-service] must "
     "have this node's address"},
    {404, Fault::Unsupported,
     "there is no such interface: is it a Central Server, of X-Road 7.3 or newer?"},
    {429, Fault::Protocol,
     "asked too often: by default a client may ask 20 times a second and 600 times a minute"},
};

void check_status(int status) {
  if (status == 200) return;
  const std::string number = "status " + std::to_string(status) + ": ";
  const auto* found =
      std::find_if(std::begin(kRefusals), std::end(kRefusals),
                   [status](const Refusal& refusal) { return refusal.status == status; });
  if (found != std::end(kRefusals)) throw Error(found->fault, number + found->text);
  throw Error(Fault::Protocol,
              number + (status >= 500 ? "the server failed: look at its logs in /var/log/xroad, "
                                        "and whether its database is there"
                                      : "that is not the interface of a Central Server"));
}

void hide(CentralAnswer& answer, const ApiKey& key) {
  answer.name = key.hide(std::move(answer.name));
  for (CentralNode& node : answer.nodes) {
    for (std::string* word : {&node.name, &node.address, &node.generated, &node.status}) {
      *word = key.hide(std::move(*word));
    }
  }
}

CentralAnswer ask_one(const HttpTarget& server, const TlsTrust& trust, const ApiKey& key,
                      Clock& clock, Instant deadline, const Wall& wall) {
  TlsStream stream(tcp_open(server.host, server.port, clock, deadline), server, trust, clock,
                   deadline);
  const HttpReply reply = http_get_over(stream, server, key.authorization());
  check_status(reply.status);
  CentralAnswer answer = parse_central_answer(reply.body);
  answer.clock_ahead = parse_http_date(reply.date);
  if (answer.clock_ahead) *answer.clock_ahead -= wall();
  return answer;
}

}  // namespace

CentralAnswer parse_central_answer(std::string_view body) {
  const json object = json::parse(body, nullptr, false);
  if (object.is_discarded() || !object.is_object()) no_status("it is no JSON object");
  const auto nodes = object.find("nodes");
  if (nodes == object.end() || !nodes->is_array()) no_status("it has no list of nodes");
  if (nodes->size() > kMostNodes) no_status("it lists too many nodes");
  CentralAnswer answer;
  // The guide writes the first, the interface's own definition the second.
  answer.ha_configured = flag_in(object, "ha_configured");
  if (!answer.ha_configured) answer.ha_configured = flag_in(object, "is_ha_configured");
  answer.name = word_in(object, "node_name");
  answer.all_nodes_ok = flag_in(object, "all_nodes_ok");
  for (const json& node : *nodes) answer.nodes.push_back(parse_node(node));
  return answer;
}

CentralReport ask_central_servers(const CentralChoice& choice, Clock& clock, Instant deadline,
                                  const Wall& wall) {
  CentralReport report;
  std::optional<ApiKey> key;
  try {
    if (choice.api_key_file.empty()) {
      throw Error(Fault::Usage,
                  "a Central Server answers to an API key only: name a file that holds one with "
                  "--api-key-file");
    }
    key.emplace(choice.api_key_file);
  } catch (const Error& error) {
    report.trouble = error;
    return report;
  }
  const std::vector<HttpTarget> servers =
      choice.servers.empty() ? std::vector{parse_central_server("localhost")} : choice.servers;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    CentralAnswer answer;
    const Instant until = share_of(clock.now(), deadline, servers.size() - i);
    try {
      answer = ask_one(servers[i], choice.trust, *key, clock, until, wall);
      hide(answer, *key);
    } catch (const Error& error) {
      answer = {};
      answer.trouble = Error(
          error.fault(), "Central Server " + servers[i].where() + ": " + key->hide(error.text()),
          error.code());
    }
    answer.where = servers[i].where();
    report.answers.push_back(std::move(answer));
  }
  return report;
}

}  // namespace xs
