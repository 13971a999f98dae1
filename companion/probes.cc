// SPDX-License-Identifier: MIT
#include "companion/probes.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <string>

#include "base/text.h"

namespace xs {
namespace {

constexpr const char* kText = "text/plain;charset=utf-8";

HttpAnswer text(unsigned status, std::string body) { return {status, std::move(body), kText}; }

HttpAnswer bad(const std::string& name, const std::string& why) {
  return text(400, "Invalid parameter '" + name + "': " + why + "\n");
}

const std::string& word_of(const Reading& reading) { return reading.check.word; }
const std::string& word_of(const LeftOut& left_out) { return left_out.word; }

// The words to leave out; the one that names no check goes to `unknown`. One probe is for all nodes
// of a cluster: a check that this one leaves out by its role is known.
std::set<std::string> excluded(const HttpRequest& request, const StatusReport& report,
                               std::string& unknown) {
  std::set<std::string> words;
  for (const auto& [key, value] : request.query) {
    if (key != "exclude") continue;
    const std::string& word = value;
    const auto is = [&word](const auto& one) { return word_of(one) == word; };
    const bool known = word == "maintenance" ||
                       std::any_of(report.checks.begin(), report.checks.end(), is) ||
                       std::any_of(report.left_out.begin(), report.left_out.end(), is);
    if (!known) unknown = value;
    words.insert(value);
  }
  return words;
}

// Why a node that is asked for by its role gets no work; nothing: it does.
std::optional<std::string> not_ready(const StatusReport& report, const std::string& role) {
  if (report.role != role) return "this node is " + report.role + ", not " + role;
  if (report.maintenance.on) return "maintenance mode";
  const Reading* failure = report.first_failure();
  if (failure != nullptr) return escape(failure->message);
  return std::nullopt;
}

struct Bound {
  const char* parameter;
  const char* check;
  const char* measured;
  const char* what;
};

constexpr auto kBounds = std::to_array<Bound>({
    {"lag", "replication", "lag_bytes", "the replication lag in bytes"},
    {"max-age", "sync-age", "age_seconds", "the age of the last sync in seconds"},
});

}  // namespace

HttpAnswer readyz(const HttpRequest& request, const StatusReport& report) {
  std::string unknown;
  const std::set<std::string> without = excluded(request, report, unknown);
  if (!unknown.empty()) return bad("exclude", "no check is called " + quote(unknown));
  bool ready = true;
  std::string lines;
  std::string first;
  const auto add = [&](const std::string& word, bool ok, const std::string& why) {
    if (without.contains(word)) {
      lines += "[+]" + word + " excluded\n";
      return;
    }
    lines += ok ? "[+]" + word + " ok\n" : "[-]" + word + " failed: " + why + "\n";
    if (!ok && ready) first = why;
    ready = ready && ok;
  };
  add("maintenance", !report.maintenance.on, "maintenance mode");
  for (const Reading& reading : report.checks) {
    add(reading.check.word, reading.ok, escape(reading.message));
  }
  const unsigned status = ready ? 200 : 503;
  if (request.parameter("verbose") == nullptr) return text(status, ready ? "ok\n" : first + "\n");
  return text(status, lines + (ready ? "ready\n" : "not ready\n"));
}

HttpAnswer primary_probe(const HttpRequest&, const StatusReport& report) {
  const auto reason = not_ready(report, "primary");
  return reason ? text(503, *reason + "\n") : text(200, "ok\n");
}

HttpAnswer secondary_probe(const HttpRequest& request, const StatusReport& report) {
  std::optional<std::string> reason = not_ready(report, "secondary");
  for (const Bound& bound : kBounds) {
    const std::string* given = request.parameter(bound.parameter);
    if (given == nullptr) continue;
    const auto limit = parse_size(*given);
    if (!limit) return bad(bound.parameter, quote(*given) + " is not " + bound.what);
    const double* value = report.measured(bound.check, bound.measured);
    if (reason) continue;
    if (value == nullptr) {
      reason = std::string(bound.what) + " is not known: is the check " + bound.check + " on?";
    } else if (*value > static_cast<double>(*limit)) {
      reason = std::string(bound.what) + " is " + std::to_string(static_cast<long long>(*value)) +
               ", more than " + std::to_string(*limit);
    }
  }
  return reason ? text(503, *reason + "\n") : text(200, "ok\n");
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  struct Unit {
    std::string_view name;
    unsigned shift;
  };
  constexpr auto kUnits =
      std::to_array<Unit>({{"", 0}, {"B", 0}, {"kB", 10}, {"MB", 20}, {"GB", 30}, {"TB", 40}});
  for (const Unit& one : kUnits) {
    if (!number || one.name != unit) continue;
    if (*number > (std::numeric_limits<std::uint64_t>::max() >> one.shift)) return std::nullopt;
    return *number << one.shift;
  }
  return std::nullopt;
}

}  // namespace xs
