// SPDX-License-Identifier: MIT
#include "companion/admin_port.h"

#include <spdlog/spdlog.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "companion/metrics.h"
#include "companion/probes.h"

namespace xs {
namespace {

// X-Road's, also for its plain texts.
constexpr const char* kAdminType = "application/json;charset=utf-8";
constexpr std::size_t kReasonLimit = 200;

HttpAnswer said(const std::string& text) { return {200, text + "\n", kAdminType}; }

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, std::min(host.find(']') + 1, host.size()));
  return host.substr(0, host.find(':'));
}

bool names_this_host(std::string_view host) {
  constexpr auto kNames = std::to_array<const char*>({"localhost", "127.0.0.1", "[::1]"});
  const std::string name(without_port(host));
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](const char* known) { return ::strcasecmp(name.c_str(), known) == 0; });
}

bool origin_is_this_host(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && names_this_host(origin.substr(scheme + 3));
}

// Why a request looks like a web page's that wants to use the browser of somebody on this host.
std::optional<std::string> forged(const HttpRequest& request) {
  const std::string* host = request.header("Host");
  if (host != nullptr && !names_this_host(*host)) {
    return "Host " + excerpt(*host, 100) + " is not this host";
  }
  const std::string* origin = request.header("Origin");
  if (origin != nullptr && !origin_is_this_host(*origin)) {
    return "Origin " + excerpt(*origin, 100) + " may not ask";
  }
  const std::string* site = request.header("Sec-Fetch-Site");
  if (site != nullptr && *site != "none" && *site != "same-origin") {
    return "requests from web pages are refused";
  }
  return std::nullopt;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

std::string form_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                         hex_digit(text[i + 2]) >= 0;
    if (escaped) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// From the query, or from a form that was posted, as X-Road's own port takes them.
std::optional<std::string> parameter(const HttpRequest& request, std::string_view name) {
  if (const std::string* value = request.parameter(name)) return *value;
  const std::string* type = request.header("Content-Type");
  if (type == nullptr || !type->starts_with("application/x-www-form-urlencoded")) {
    return std::nullopt;
  }
  std::string_view rest = request.body;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (form_decode(pair.substr(0, equals)) != name) continue;
    return form_decode(pair.substr(std::min(equals + 1, pair.size())));
  }
  return std::nullopt;
}

std::optional<bool> parse_bool(const std::string& text) {
  if (::strcasecmp(text.c_str(), "true") == 0) return true;
  if (::strcasecmp(text.c_str(), "false") == 0) return false;
  return std::nullopt;
}

const char* word(bool value) { return value ? "true" : "false"; }

std::string invalid(const std::string& name) {
  return "Invalid parameter '" + name + "', request ignored";
}

}  // namespace

StatusReport AdminPort::report() const {
  return {facts_.version, facts_.role, maintenance_.state(), board_.readings(), facts_.left_out};
}

HttpAnswer AdminPort::change_maintenance(const HttpRequest& request) const {
  const auto target = parameter(request, "targetState");
  const auto on = target ? parse_bool(*target) : std::nullopt;
  if (!on) return said(invalid("targetState"));
  MaintenanceState next;
  next.on = *on;
  const auto reason = parameter(request, "reason");
  if (reason) next.reason = reason->substr(0, kReasonLimit);
  if (const auto drain = parameter(request, "drain")) {
    const auto value = parse_bool(*drain);
    if (!value) return said(invalid("drain"));
    next.drain = *value;
  }
  if (const auto until = parameter(request, "until")) {
    constexpr unsigned long long kFarthest = 1ULL << 40;
    const auto value = parse_number(*until);
    if (!value || *value > kFarthest) return said(invalid("until"));
    next.until = static_cast<std::int64_t>(*value);
  }
  if (!facts_.can_drain) return said("No HealthCheckPort found, maintenance mode not set");
  const bool before = maintenance_.set(next);
  spdlog::warn("maintenance mode set: {} => {}{}{}", word(before), word(*on),
               next.reason.empty() ? "" : ": ", escape(next.reason));
  return said(std::string("Maintenance mode set: ") + word(before) + " => " + word(*on));
}

HttpAnswer AdminPort::answer(const HttpRequest& request) const {
  const bool changes = request.path == "/maintenance";
  if (!request.from_loopback && (changes || !facts_.remote_read)) return {403};
  if (request.from_loopback) {
    const auto reason = forged(request);
    if (reason) return {403, *reason + "\n", "text/plain;charset=utf-8"};
  }
  if (changes) return change_maintenance(request);
  if (request.path == "/livez") return {200, "ok\n", "text/plain;charset=utf-8"};
  if (request.path == "/readyz") return readyz(request, report());
  if (request.path == "/primary") return primary_probe(request, report());
  if (request.path == "/secondary") return secondary_probe(request, report());
  if (request.path == "/status.json") return {200, report_json(report()), kAdminType};
  if (request.path == "/metrics") return {200, metrics_text(report()), kMetricsType};
  return {404};
}

}  // namespace xs
