// SPDX-License-Identifier: MIT
#include "companion/status_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "companion/mend.h"

namespace xs {
namespace {

using nlohmann::json;

double in_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

Duration from_seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::clamp(seconds, 0.0, 1e8)));
}

json to_json(const Reading& reading) {
  json object{{"name", reading.check.name}, {"check", reading.check.word},
              {"ok", reading.ok},           {"known", reading.known},
              {"message", reading.message}, {"detail", reading.detail}};
  object["age_seconds"] = in_seconds(reading.age);
  object["took_seconds"] = in_seconds(reading.took);
  const std::string mend = reading.ok ? "" : mend_for(reading.check.word, reading.message);
  if (!mend.empty()) object["mend"] = mend;
  if (!reading.measured.empty()) {
    json& measured = object["measured"] = json::object();
    for (const Measured& one : reading.measured) measured[one.name] = one.value;
  }
  if (!reading.facts.empty()) {
    json& facts = object["facts"] = json::object();
    for (const Fact& one : reading.facts) facts[one.name] = one.text;
  }
  return object;
}

Reading to_reading(const json& object) {
  Reading reading;
  object.at("name").get_to(reading.check.name);
  object.at("check").get_to(reading.check.word);
  object.at("ok").get_to(reading.ok);
  object.at("known").get_to(reading.known);
  object.at("message").get_to(reading.message);
  object.at("detail").get_to(reading.detail);
  reading.age = from_seconds(object.at("age_seconds").get<double>());
  reading.took = from_seconds(object.at("took_seconds").get<double>());
  if (object.contains("measured")) {
    for (const auto& [name, value] : object["measured"].items()) {
      reading.measured.push_back({name, value.get<double>()});
    }
  }
  if (object.contains("facts")) {
    for (const auto& [name, text] : object["facts"].items()) {
      reading.facts.push_back({name, text.get<std::string>()});
    }
  }
  return reading;
}

// What the load balancer is told, and how much there is beside it.
std::string headline(const StatusReport& report, std::int64_t now) {
  const Reading* failure = report.first_failure();
  if (report.maintenance.on) {
    return "no work: " + maintenance_text(report.maintenance, now) +
           (failure == nullptr ? "" : "; also: " + escape(failure->message)) +
           "\n  mend: xroad-companion " +
           (report.upgrade.empty() ? "maintenance off" : "upgrade finish");
  }
  if (failure == nullptr) return "can work: every check passes";
  const auto failures = std::count_if(report.checks.begin(), report.checks.end(),
                                      [](const Reading& reading) { return !reading.ok; });
  return "cannot work: " + escape(failure->message) +
         (failures > 1 ? " (and " + std::to_string(failures - 1) + " more)" : "");
}

std::string check_text(const Reading& reading, std::size_t width) {
  const std::string name = escape(reading.check.name);
  std::string text = reading.ok ? "  ok    " : reading.known ? "  FAIL  " : "  ?     ";
  text += name + std::string(width - name.size(), ' ');
  if (reading.known) {
    text += "  " +
            span_text(std::chrono::duration_cast<std::chrono::seconds>(reading.age).count()) +
            " ago";
  }
  if (!reading.ok) text += "  " + escape(reading.message);
  text += "\n";
  const std::string indent(8, ' ');
  if (!reading.detail.empty()) {
    text += indent + (reading.ok ? "" : "why:  ") + escape_again(reading.detail) + "\n";
  }
  if (reading.ok || !reading.known) return text;
  const std::string mend = mend_for(reading.check.word, reading.message);
  return mend.empty() ? text : text + indent + "mend: " + mend + "\n";
}

}  // namespace

const Reading* StatusReport::first_failure() const {
  const auto found = std::find_if(checks.begin(), checks.end(),
                                  [](const Reading& reading) { return !reading.ok; });
  return found == checks.end() ? nullptr : &*found;
}

const double* StatusReport::measured(std::string_view check, std::string_view name) const {
  for (const Reading& reading : checks) {
    if (reading.check.word != check) continue;
    for (const Measured& one : reading.measured) {
      if (one.name == name) return &one.value;
    }
  }
  return nullptr;
}

std::string maintenance_text(const MaintenanceState& state, std::int64_t now) {
  if (!state.on) return "off";
  std::string text = state.drain ? "draining" : "in maintenance mode";
  if (state.since > 0) text += " for " + span_text(std::max<std::int64_t>(0, now - state.since));
  if (state.until)
    text += ", " + span_text(std::max<std::int64_t>(0, *state.until - now)) + " to go";
  if (!state.reason.empty()) text += ": " + escape(state.reason);
  return text;
}

std::string report_json(const StatusReport& report) {
  json object{{"v", 1}, {"version", report.version}, {"role", report.role}};
  object["ready"] = report.ready();
  object["maintenance"] = json::parse(maintenance_json(report.maintenance));
  json& checks = object["checks"] = json::array();
  for (const Reading& reading : report.checks) {
    checks.push_back(to_json(reading));
    for (const Fact& fact : reading.facts) {
      if (fact.name == "generation") object["generation"] = fact.text;  // what peers look for
    }
  }
  for (const LeftOut& one : report.left_out) {
    object["left_out"].push_back({{"check", one.word}, {"why", one.why}});
  }
  if (!report.upgrade.empty()) object["upgrade"] = report.upgrade;
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

StatusReport parse_report(std::string_view text) {
  try {
    const json object = json::parse(text);
    StatusReport report;
    object.at("version").get_to(report.version);
    object.at("role").get_to(report.role);
    report.maintenance = parse_maintenance(object.at("maintenance").dump());
    for (const json& check : object.at("checks")) report.checks.push_back(to_reading(check));
    if (object.contains("left_out")) {
      for (const json& one : object["left_out"]) {
        report.left_out.push_back(
            {one.at("check").get<std::string>(), one.at("why").get<std::string>()});
      }
    }
    return report;
  } catch (const json::exception& error) {
    throw Error(Fault::Protocol,
                "this is not the status of an xroad-companion: " + excerpt(error.what(), 120));
  }
}

std::string report_text(const StatusReport& report, std::int64_t now) {
  std::string text = headline(report, now) + "\n\n";
  std::size_t width = 0;
  for (const Reading& reading : report.checks) {
    width = std::max(width, escape(reading.check.name).size());
  }
  for (const Reading& reading : report.checks) text += check_text(reading, width);
  for (const LeftOut& one : report.left_out) {
    text += "  -     " + escape(one.word) + ": " + escape(one.why) + "\n";
  }
  if (!report.upgrade.empty()) {
    text += "\n  upgrade: " + report.upgrade + "\n    see: xroad-companion upgrade status\n";
  }
  text += "\n  role " + escape(report.role) + ", companion " + escape(report.version) + "\n";
  return text;
}

std::string monitor_line(const StatusReport& report) {
  const Reading* failure = report.first_failure();
  if (failure != nullptr) {
    return "XROAD CRITICAL - " + escape(failure->message) +
           (failure->detail.empty() ? "" : " (" + escape_again(failure->detail) + ")") + "\n";
  }
  if (report.maintenance.on) return "XROAD WARNING - maintenance mode\n";
  return "XROAD OK - " + std::to_string(report.checks.size()) + " checks pass\n";
}

int monitor_code(const StatusReport& report) {
  if (report.first_failure() != nullptr) return 2;
  return report.maintenance.on ? 1 : 0;
}

}  // namespace xs
