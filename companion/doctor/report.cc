// SPDX-License-Identifier: MIT
#include "companion/doctor/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace xs {
namespace {

constexpr std::size_t kWidth = 18;  // of the names, blanks after them

struct StateWords {
  const char* sign;
  const char* word;
};
const StateWords& words(PointState state) {
  static constexpr StateWords kWords[] = {
      {"\u2713", "fine"}, {"\u2717", "wrong"}, {"?", "unknown"}, {"\u2013", "not-here"}};
  return kWords[static_cast<std::size_t>(state)];
}

std::size_t count(const Findings& findings, PointState state) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [state](const Finding& finding) { return finding.state == state; }));
}

// Names of peers are longer than ours.
std::string padded(const std::string& name) {
  return name + std::string(name.size() < kWidth ? kWidth - name.size() : 1, ' ');
}

}  // namespace

std::string finding_text(const Finding& finding) {
  std::string text =
      std::string(words(finding.state).sign) + "  " + padded(finding.point) + finding.found + "\n";
  if (!finding.mend.empty()) text += "   " + padded("") + finding.mend + "\n";
  return text;
}

std::string summary_text(const Findings& findings) {
  const std::size_t bad = count(findings, PointState::Wrong);
  const std::size_t open = count(findings, PointState::Unknown);
  const std::string text = bad == 0   ? "nothing is wrong"
                           : bad == 1 ? "1 point is wrong"
                                      : std::to_string(bad) + " points are wrong";
  return text + (open == 0 ? "" : ", " + std::to_string(open) + " could not be looked at") + "\n";
}

std::string findings_json(const Findings& findings, const std::string& version) {
  using nlohmann::json;
  json object{{"v", 1}, {"version", version}};
  object["wrong"] = count(findings, PointState::Wrong);
  object["unknown"] = count(findings, PointState::Unknown);
  object["exit"] = findings_code(findings);
  json& points = object["points"] = json::array();
  for (const Finding& finding : findings) {
    json point{{"topic", finding.topic},
               {"point", finding.point},
               {"state", words(finding.state).word},
               {"found", finding.found}};
    if (finding.state == PointState::Wrong) {
      point["mend"] = finding.mend;
      point["fault"] = std::string(describe(finding.fault).name);
    }
    points.push_back(std::move(point));
  }
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

int findings_code(const Findings& findings) {
  for (const Finding& finding : findings) {
    if (finding.state == PointState::Wrong) return exit_code(finding.fault);
  }
  return count(findings, PointState::Unknown) == 0 ? 0 : exit_code(Fault::Partial);
}

}  // namespace xs
