// SPDX-License-Identifier: MIT
#include "companion/metrics.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace xs {
namespace {

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.10g", value);
  return text.data();
}

std::string label(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string head(const std::string& name, const std::string& help) {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n";
}

template <class Value>
std::string per_check(const StatusReport& report, const std::string& name, const std::string& help,
                      Value value) {
  std::string text = head(name, help);
  for (const Reading& reading : report.checks) {
    text += name + "{check=\"" + label(reading.check.word) + "\"} " + number(value(reading)) + "\n";
  }
  return text;
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string single(const std::string& name, const std::string& help, double value) {
  return head(name, help) + name + " " + number(value) + "\n";
}

}  // namespace

std::string metrics_text(const StatusReport& report) {
  std::string text = head("xroad_companion_build_info", "The running program.");
  text += "xroad_companion_build_info{version=\"" + label(report.version) + "\",role=\"" +
          label(report.role) + "\"} 1\n";
  text += single("xroad_companion_ready", "1: the load balancer may send work here.",
                 report.ready() ? 1 : 0);
  text += single("xroad_companion_maintenance", "1: in maintenance mode.",
                 report.maintenance.on ? 1 : 0);
  if (report.checks.empty()) return text;
  text += per_check(report, "xroad_companion_health", "1: the check passes.",
                    [](const Reading& reading) { return reading.ok ? 1.0 : 0.0; });
  text += per_check(report, "xroad_companion_health_check_duration_seconds",
                    "How long the last answer took.",
                    [](const Reading& reading) { return seconds(reading.took); });
  text += per_check(report, "xroad_companion_health_age_seconds", "How old the answer is.",
                    [](const Reading& reading) { return seconds(reading.age); });
  for (const Reading& reading : report.checks) {
    std::string word = reading.check.word;
    std::replace(word.begin(), word.end(), '-', '_');
    for (const Measured& one : reading.measured) {
      text += single("xroad_companion_" + word + "_" + one.name,
                     "Measured by the check " + reading.check.word + ".", one.value);
    }
  }
  return text;
}

}  // namespace xs
