// SPDX-License-Identifier: MIT
#include "companion/admin_client.h"

#include "base/error.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr Duration kAskFor = std::chrono::seconds(3);

std::string percent(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += "%" + hex({&c, 1});
    }
  }
  return out;
}

// Where we reach a port that listens there.
std::string reached(const std::string& host) {
  if (host == "::") return "::1";
  return host == "0.0.0.0" ? "127.0.0.1" : host;
}

}  // namespace

HttpTarget AdminClient::admin(const std::string& path) const {
  if (settings_.admin.port == 0) {
    throw Error(Fault::Usage, settings_.admin.where + ": the admin port is off, so nobody can ask");
  }
  return {reached(settings_.admin.host), settings_.admin.port, path};
}

HttpReply AdminClient::get(const HttpTarget& target) const {
  return http_get(target, clock_, clock_.now() + kAskFor, kOwnReplyLimit);
}

HttpReply AdminClient::answer_of_companion(const HttpTarget& target) const {
  try {
    return get(target);
  } catch (const Error& error) {
    if (error.fault() != Fault::Network) throw;
    throw Error(Fault::Network, error.text() + " (does it run? systemctl start xroad-companion)",
                error.code());
  }
}

StatusReport AdminClient::report() const {
  const HttpTarget target = admin("/status.json");
  const HttpReply reply = answer_of_companion(target);
  if (reply.status == 200) return parse_report(reply.body);
  if (reply.status == 403) {
    throw Error(Fault::Refused,
                target.text() + " answered 403, it does not take us for this host" +
                    (reply.body.empty() ? "" : ": " + excerpt(trim(reply.body), 200)) +
                    ": see [admin] interface in " + settings_.places.own);
  }
  throw Error(Fault::Protocol, target.text() + " answered " + std::to_string(reply.status) +
                                   ": another program, perhaps xroad-proxy, has the port of "
                                   "xroad-companion: see [admin] port in " +
                                   settings_.places.own);
}

std::string AdminClient::set_maintenance(const MaintenanceState& next) const {
  report();  // so that nobody else's maintenance mode is changed
  std::string path = std::string("/maintenance?targetState=") + (next.on ? "true" : "false");
  if (next.drain) path += "&drain=true";
  if (!next.reason.empty()) path += "&reason=" + percent(next.reason);
  if (next.until) path += "&until=" + std::to_string(*next.until);
  const HttpReply reply = get(admin(path));
  const std::string said = escape(trim(reply.body));
  if (reply.status != 200 || !said.starts_with("Maintenance mode set:")) {
    throw Error(Fault::Unsupported,
                "the companion answered " + std::to_string(reply.status) + ": " + said);
  }
  return said;
}

int AdminClient::health() const {
  if (settings_.health.port == 0) return 0;
  return get({reached(settings_.health.host), settings_.health.port, "/"}).status;
}

}  // namespace xs
