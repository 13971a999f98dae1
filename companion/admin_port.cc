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

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// What this host may be called by who asks it: the loopback, the address that was asked, and the
// one of the settings.
using Names = std::array<std::string_view, 5>;

// "localhost", "127.0.0.1:5566" and the like, and nothing behind it.
bool names_this_host(std::string_view host, const Names& names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    const std::string_view first = host.substr(0, name.size());
    const bool same = std::equal(first.begin(), first.end(), name.begin(), name.end(),
                                 [](char a, char b) { return lower(a) == lower(b); });
    if (!same || name.empty()) return false;
    const std::string_view rest = host.substr(name.size());
    return rest.empty() || (rest[0] == ':' && parse_number(rest.substr(1)));
  });
}

// Of a page: its origin, or its whole address.
bool is_of_this_host(std::string_view url, const Names& names) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view rest = url.substr(scheme + 3);
  return names_this_host(rest.substr(0, rest.find('/')), names);
}

// Why a header gives away a web page that wants to use the browser of somebody on this host.
std::optional<std::string> forged(const std::string& name, const std::string& value,
                                  const Names& names) {
  const auto is = [&](const char* known) { return ::strcasecmp(name.c_str(), known) == 0; };
  if (is("Host") && !names_this_host(value, names))
    return "Host " + excerpt(value, 100) + " is not this host";
  // A browser too old for Sec-Fetch-Site says no Origin for an image, but the Referer.
  if ((is("Origin") || is("Referer")) && !is_of_this_host(value, names)) {
    return escape(name) + " " + excerpt(value, 100) + " may not ask";
  }
  if (is("Sec-Fetch-Site") && value != "none" && value != "same-origin") {
    return "requests from web pages are refused";
  }
  return std::nullopt;
}

std::optional<std::string> forged(const HttpRequest& request, const std::string& interface) {
  const Names names = {"localhost", "127.0.0.1", "[::1]", request.own_address, interface};
  for (const auto& [name, value] : request.headers) {
    if (auto reason = forged(name, value, names)) return reason;
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
    // One that has passed would be answered "set", and the node would go on taking work.
    const bool passed = value && static_cast<std::int64_t>(*value) <= maintenance_.now();
    if (!value || *value > kFarthest || (next.on && passed)) return said(invalid("until"));
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
  if (!request.from_this_host && (changes || !facts_.remote_read)) return {403};
  if (request.cut) return {431};  // what was not read cannot be checked
  if (request.from_this_host) {
    const auto reason = forged(request, facts_.interface);
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
