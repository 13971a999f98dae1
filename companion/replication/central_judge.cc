// SPDX-License-Identifier: MIT
#include "companion/replication/central_judge.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "base/text.h"
#include "companion/replication/text_table.h"

namespace xs {
namespace {

using Findings = std::vector<Judgement>;

constexpr std::int64_t kMostOffset = 60;       // of two clocks, in seconds
constexpr std::int64_t kMostDifference = 600;  // of what two servers read in one database
constexpr const char* kWho = "Central Server ";
constexpr const char* kOneDatabase = ": do they use one database, and are their clocks right?";

std::string age_text(const CentralNode& node, std::int64_t now) {
  if (node.generated.empty()) return "never";
  if (!node.generated_at) return "at no time: " + quote(node.generated);
  const std::int64_t age = now - *node.generated_at;
  return age < 0 ? "in " + span_text(-age) : span_text(age) + " ago";
}

struct Opinion {
  Health health = Health::Ok;
  std::string text;
};

Opinion opinion_on(const CentralNode& node, std::int64_t now) {
  const std::string generated = "its configuration was generated " + age_text(node, now);
  if (node.status == "OK" && node.generated_at) return {};
  if (node.status == "OK") return {Health::Unknown, "OK, but " + generated};
  if (node.status == "WARN") return {Health::Warning, "WARN, " + generated};
  if (node.status == "ERROR") {
    return {Health::Critical, "ERROR, " + generated + ": does xroad-center run there?"};
  }
  if (node.status == "UNKNOWN") {
    return {Health::Unknown, "UNKNOWN, it has never been seen: did xroad-center ever run there?"};
  }
  return {Health::Unknown, node.status.empty()
                               ? "no state is told"
                               : quote(node.status) + ", which is no state that we know"};
}

// One node in the eyes of one server that lists it.
struct View {
  const CentralAnswer* by;
  const CentralNode* node;
};
using Views = std::vector<View>;

const CentralNode& worst_of(const Views& views, std::int64_t now) {
  const CentralNode* worst = views.front().node;
  for (const View& view : views) {
    const Health known = opinion_on(*worst, now).health;
    const Health health = opinion_on(*view.node, now).health;
    if (health != known && worse(health, known) == health) worst = view.node;
  }
  return *worst;
}

// Who says what about it, where that is not the same; `silent` servers do not list it.
std::string differences(const Views& views, std::size_t silent) {
  bool differ = silent > 0;
  std::string text;
  for (const View& view : views) {
    differ = differ || view.node->status != views.front().node->status;
    text += (text.empty() ? "" : ", ") + view.by->where + " says " +
            (view.node->status.empty() ? "nothing" : escape(view.node->status));
  }
  if (!differ) return "";
  if (silent > 0) text += ", " + std::to_string(silent) + " of them without it";
  return text;
}

void judge_times(const std::string& who, const Views& views, std::int64_t now, Findings& findings) {
  std::int64_t oldest = INT64_MAX;
  std::int64_t newest = INT64_MIN;
  for (const View& view : views) {
    if (!view.node->generated_at) continue;
    oldest = std::min(oldest, *view.node->generated_at);
    newest = std::max(newest, *view.node->generated_at);
  }
  if (newest == INT64_MIN) return;
  if (newest - oldest > kMostDifference) {
    findings.push_back({Health::Warning, "the Central Servers differ by " +
                                             span_text(newest - oldest) + " about when " + who +
                                             " generated its configuration" + kOneDatabase});
  }
  if (newest - now > kMostOffset) {
    findings.push_back({Health::Warning, who + " generated its configuration " +
                                             span_text(newest - now) +
                                             " from now: the clocks of the nodes differ"});
  }
}

void judge_node(const std::string& name, const Views& views, std::size_t silent, std::int64_t now,
                CentralVerdict& verdict) {
  const std::string who = "node " + quote(name);
  const CentralNode& worst = worst_of(views, now);
  const Opinion opinion = opinion_on(worst, now);
  const std::string differing = differences(views, silent);
  ++verdict.nodes;
  if (opinion.health == Health::Ok) {
    verdict.nodes_ok += differing.empty() ? 1 : 0;
  } else {
    const std::string address = worst.address.empty() ? "" : " (" + escape(worst.address) + ")";
    verdict.findings.push_back({opinion.health, who + address + ": " + opinion.text});
  }
  if (!differing.empty()) {
    verdict.findings.push_back({Health::Warning, "the Central Servers differ about " + who + ": " +
                                                     differing + kOneDatabase});
  }
  judge_times(who, views, now, verdict.findings);
}

// Whether what one server says agrees with itself.
void judge_list(const CentralAnswer& answer, const std::string& who, Findings& findings) {
  const auto unknown = [&](const std::string& text) {
    findings.push_back({Health::Unknown, who + " " + text});
  };
  std::set<std::string> names;
  bool fine = true;
  for (const CentralNode& node : answer.nodes) {
    if (node.name.empty()) {
      unknown("lists a node without a name");
    } else if (!names.insert(node.name).second) {
      unknown("lists node " + quote(node.name) + " twice");
    }
    fine = fine && node.status == "OK";
  }
  if (answer.nodes.empty()) return unknown("lists no node");
  if (!answer.name.empty() && !names.contains(answer.name)) {
    unknown("calls itself " + quote(answer.name) + ", which is not among the nodes that it lists");
  }
  if (!answer.all_nodes_ok) return unknown("does not say whether all nodes are OK");
  if (*answer.all_nodes_ok != fine) {
    unknown(fine ? "says that some node is not OK, but lists none that is not"
                 : "says that all nodes are OK, but lists one that is not");
  }
}

void judge_answer(const CentralAnswer& answer, Findings& findings) {
  const std::string who = kWho + answer.where;
  if (answer.trouble) {
    findings.push_back({Health::Unknown, answer.trouble->text()});
    return;
  }
  if (!answer.ha_configured) {
    findings.push_back(
        {Health::Unknown, who + " does not say whether high availability is configured"});
  } else if (!*answer.ha_configured) {
    findings.push_back(
        {Health::Unknown, who + " says that high availability is not configured: is ha-node-name "
                                "missing below [center] in its local.ini?"});
  } else if (answer.name.empty()) {
    findings.push_back({Health::Unknown, who + " does not say which node it is"});
  }
  judge_list(answer, who, findings);
  if (answer.clock_ahead && std::abs(*answer.clock_ahead) > kMostOffset) {
    findings.push_back({Health::Warning, "the clock of " + who + " is " +
                                             span_text(std::abs(*answer.clock_ahead)) +
                                             (*answer.clock_ahead > 0 ? " ahead of" : " behind") +
                                             " this node's: see timedatectl on both"});
  }
}

void judge_names(const std::vector<CentralAnswer>& answers, Findings& findings) {
  std::map<std::string, std::string> seen;
  for (const CentralAnswer& answer : answers) {
    if (answer.trouble || answer.name.empty()) continue;
    const auto [at, fresh] = seen.emplace(answer.name, answer.where);
    if (fresh) continue;
    findings.push_back(
        {Health::Warning, at->second + " and " + answer.where + " both call themselves " +
                              quote(answer.name) +
                              ": either that is one server, or ha-node-name of one is wrong"});
  }
}

}  // namespace

CentralVerdict judge_central(const CentralReport& report, std::int64_t now) {
  CentralVerdict verdict;
  Findings& findings = verdict.findings;
  if (report.trouble) findings.push_back({Health::Unknown, report.trouble->text()});
  std::map<std::string, Views> nodes;
  for (const CentralAnswer& answer : report.answers) {
    judge_answer(answer, findings);
    for (const CentralNode& node : answer.nodes) nodes[node.name].push_back({&answer, &node});
  }
  for (const auto& [name, views] : nodes) {
    const auto silent = std::count_if(
        report.answers.begin(), report.answers.end(), [&seen = views](const CentralAnswer& one) {
          return !one.trouble && std::none_of(seen.begin(), seen.end(),
                                              [&](const View& view) { return view.by == &one; });
        });
    judge_node(name, views, static_cast<std::size_t>(silent), now, verdict);
  }
  judge_names(report.answers, findings);
  if (verdict.nodes > 0) {
    findings.push_back({Health::Ok, std::to_string(verdict.nodes_ok) + " of " +
                                        std::to_string(verdict.nodes) +
                                        " nodes of the Central Server are OK"});
  }
  if (findings.empty()) findings.push_back({Health::Unknown, "no Central Server was asked"});
  verdict.health = order_findings(findings);
  return verdict;
}

std::string central_text(const CentralReport& report, std::int64_t now) {
  std::string text;
  for (const CentralAnswer& answer : report.answers) {
    text += (text.empty() ? "" : "\n") + std::string(kWho) + answer.where;
    if (answer.trouble) {
      text += ": no answer\n";
      continue;
    }
    if (!answer.name.empty()) text += ", node " + escape(answer.name);
    const bool ha = answer.ha_configured.value_or(false);
    text += ha ? ", high availability\n" : ", high availability not configured\n";
    if (answer.nodes.empty()) continue;
    std::vector<TextRow> rows{
        {"node_name", "node_address", "configuration_generated", "when", "status"}};
    for (const CentralNode& node : answer.nodes) {
      rows.push_back({shown(node.name), shown(node.address), shown(node.generated),
                      age_text(node, now), shown(node.status)});
    }
    text += text_table(rows);
  }
  return text;
}

}  // namespace xs
