// SPDX-License-Identifier: MIT
#include "companion/replication/node_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"
#include "companion/replication/show.h"
#include "companion/replication/show_json.h"

namespace xs {
namespace {

using nlohmann::json;

template <class Value>
json or_null(const std::optional<Value>& value) {
  return value ? json(*value) : json(nullptr);
}

// Of those who were asked and did not answer, in their order.
std::vector<const Error*> troubles_of(const CentralReport& central) {
  std::vector<const Error*> troubles;
  if (central.trouble) troubles.push_back(&*central.trouble);
  for (const CentralAnswer& answer : central.answers) {
    if (answer.trouble) troubles.push_back(&*answer.trouble);
  }
  return troubles;
}

bool answered(const CentralReport& central) {
  return std::any_of(central.answers.begin(), central.answers.end(),
                     [](const CentralAnswer& answer) { return !answer.trouble; });
}

json node_json(const CentralNode& node, std::int64_t now) {
  return {{"node_name", safe_json(node.name)},
          {"node_address", safe_json(node.address)},
          {"configuration_generated", safe_json(node.generated)},
          {"age_seconds", node.generated_at ? json(now - *node.generated_at) : json(nullptr)},
          {"status", safe_json(node.status)}};
}

json central_json(const CentralReport& central, const CentralVerdict& verdict, std::int64_t now) {
  json object{{"health", health_word(verdict.health)},
              {"findings", findings_array(verdict.findings)},
              {"trouble", central.trouble ? safe_json(central.trouble->text()) : json(nullptr)}};
  json& servers = object["servers"] = json::array();
  for (const CentralAnswer& answer : central.answers) {
    json server{{"where", safe_json(answer.where)},
                {"trouble", answer.trouble ? safe_json(answer.trouble->text()) : json(nullptr)},
                {"ha_configured", or_null(answer.ha_configured)},
                {"node_name", safe_json(answer.name)},
                {"all_nodes_ok", or_null(answer.all_nodes_ok)},
                {"clock_ahead_seconds", or_null(answer.clock_ahead)}};
    json& nodes = server["nodes"] = json::array();
    for (const CentralNode& node : answer.nodes) nodes.push_back(node_json(node, now));
    servers.push_back(std::move(server));
  }
  return object;
}

std::string findings_text(const std::vector<Judgement>& findings) {
  std::string text;
  for (const Judgement& finding : findings) {
    if (finding.health == Health::Ok) continue;
    text += std::string(health_word(finding.health)) + ": " + finding.text + "\n";
  }
  return text;
}

std::string words_of(const CentralVerdict& verdict) {
  std::string text;
  for (const Judgement& finding : verdict.findings) {
    text += (text.empty() ? "" : ", ") + finding.text;
  }
  return text;
}

}  // namespace

Health NodeReport::health() const {
  Health health = Health::Ok;
  if (database) health = worse(health, database->verdict.health);
  if (database_trouble) health = worse(health, Health::Unknown);
  if (central) health = worse(health, central_verdict.health);
  return health;
}

int NodeReport::exit_code() const {
  if (database_trouble) return xs::exit_code(database_trouble->fault());
  if (!central) return 0;
  if (answered(*central)) return static_cast<int>(central_verdict.health);
  const auto troubles = troubles_of(*central);
  return troubles.empty() ? static_cast<int>(Health::Unknown)
                          : xs::exit_code(troubles.front()->fault());
}

const Error* NodeReport::only_trouble() const {
  if (database || (central && answered(*central))) return nullptr;
  std::vector<const Error*> troubles;
  if (central) troubles = troubles_of(*central);
  if (database_trouble) troubles.push_back(&*database_trouble);
  return troubles.size() == 1 ? troubles.front() : nullptr;
}

std::string report_line(const NodeReport& report, const ReplicationLimits& limits) {
  std::vector<Judgement> parts;
  std::string numbers;
  if (report.database) {
    const auto& [status, verdict] = *report.database;
    parts.push_back({verdict.health, verdict.words(status)});
    numbers += verdict.numbers(status, limits);
  }
  if (report.database_trouble) {
    parts.push_back({Health::Unknown, report.database_trouble->text()});
  }
  if (report.central) {
    const CentralVerdict& verdict = report.central_verdict;
    parts.push_back({verdict.health, words_of(verdict)});
    numbers += " central_nodes=" + std::to_string(verdict.nodes) +
               " central_nodes_ok=" + std::to_string(verdict.nodes_ok);
  }
  const Health health = order_findings(parts);
  std::string words;
  for (const Judgement& part : parts) words += (words.empty() ? "" : "; ") + part.text;
  return monitor_line(health, words, numbers);
}

std::string report_text(const NodeReport& report) {
  std::string text;
  if (report.database) {
    text = replication_text(report.database->status, report.database->verdict);
  } else if (report.database_trouble) {
    text = "UNKNOWN: " + report.database_trouble->text() + "\n";
  } else if (!report.no_database.empty()) {
    text = report.no_database + "\n";
  }
  if (!report.central) return text;
  const std::string tables = central_text(*report.central, report.now);
  const std::string findings = findings_text(report.central_verdict.findings);
  return text + (text.empty() ? "" : "\n") + findings + (findings.empty() ? "" : "\n") + tables;
}

std::string report_json(const NodeReport& report) {
  json object = report.database
                    ? replication_object(report.database->status, report.database->verdict)
                    : json::object();
  if (!report.database) {
    const auto& trouble = report.database_trouble;
    object["role"] = nullptr;
    object["database_trouble"] = safe_json(trouble ? trouble->text() : report.no_database);
  }
  if (report.central) {
    object["central_server"] = central_json(*report.central, report.central_verdict, report.now);
  }
  return json_text(object);
}

}  // namespace xs
