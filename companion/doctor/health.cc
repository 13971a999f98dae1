// SPDX-License-Identifier: MIT
#include "companion/doctor/health.h"

#include "base/text.h"
#include "companion/doctor/systemd.h"
#include "companion/http_get.h"
#include "companion/status_report.h"

namespace xs {
namespace {

constexpr const char* kUnit = "xroad-companion.service";
constexpr const char* kLocalIni =
    "write health-check-port=5588 below [proxy] of /etc/xroad/conf.d/local.ini on the primary, "
    "then systemctl restart xroad-proxy on every node";

std::string reachable(const std::string& host) {
  return host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host;
}

// Who answers at the admin port of the companion.
enum class Owner : std::uint8_t { Nobody, Companion, Other };

class Health {
 public:
  explicit Health(const DoctorSubject& subject)
      : subject_(subject), settings_(subject.settings), proxy_port_(xroads_port()) {}

  Findings look() {
    return look_at({{"companion", [this] { return companion(); }},
                    {"health port", [this] { return configured(); }},
                    {"proxy's health", [this] { return proxys_health(); }},
                    {"our health", [this] { return our_health(); }},
                    {"proxy's admin", [this] { return proxys_admin(); }}});
  }

 private:
  // X-Road's own files say where xroad-proxy listens; 0: nowhere.
  std::uint16_t xroads_port() const {
    const IniValue* value = subject_.xroad.find("proxy", "health-check-port");
    const auto number = value == nullptr ? std::nullopt : parse_number(value->value);
    return number && *number <= 65535 ? static_cast<std::uint16_t>(*number) : std::uint16_t{0};
  }

  HttpReply get(const HttpTarget& target) const {
    return http_get(target, subject_.clock, subject_.clock.now() + subject_.places.ask_limit);
  }

  bool wanted() const {
    return is_enabled(subject_.places, kUnit, "multi-user.target") ||
           file_facts(subject_.places.config.own, subject_.accounts).has_value();
  }

  Finding companion() {
    const HttpTarget target{reachable(settings_.admin.host), settings_.admin.port, "/status.json"};
    if (target.port == 0) return not_here("its admin port is off");
    const std::string place = escape(target.host) + " port " + std::to_string(target.port);
    try {
      const HttpReply reply = get(target);
      owner_ = Owner::Other;
      if (reply.status == 200) {
        const StatusReport report = parse_report(reply.body);
        owner_ = Owner::Companion;
        return fine(escape(report.version) + " answers on " + place);
      }
    } catch (const Error& error) {
      const bool silent = error.fault() == Fault::Network;
      if (!silent) owner_ = Owner::Other;
      if (silent && !wanted()) return not_here("not used here: no companion.ini, no unit enabled");
      if (silent) {
        return wrong(error.fault(), "it does not run: " + error.text(),
                     std::string("systemctl enable --now ") + kUnit);
      }
    }
    if (!wanted()) return not_here("not used here; another program has " + place);
    return wrong(Fault::Start, "another program, perhaps xroad-proxy, has " + place,
                 "write port = 5590 below [admin] of " + escape(subject_.places.config.own) +
                     " and systemctl restart " + kUnit);
  }

  // In X-Road's own files it would be the proxy's port, and the companion would want it too.
  std::string own_port() const {
    return "write health-check-port = 5598 below [proxy] of " + escape(subject_.places.config.own) +
           " and systemctl restart " + kUnit;
  }

  Finding configured() const {
    if (settings_.health.port == 0 && !subject_.xroad_read) return not_looked();
    if (settings_.health.port == 0) {
      return wrong(Fault::Usage,
                   "health-check-port is not set (" + escape(settings_.health.where) +
                       "): a load balancer has nothing to ask",
                   wanted() ? own_port() : kLocalIni);
    }
    return fine(escape(settings_.health.host) + " port " + std::to_string(settings_.health.port) +
                " (" + escape(settings_.health.where) + ")");
  }

  bool one_port() const { return proxy_port_ == settings_.health.port; }

  static Finding not_looked() { return unknown("not looked at: X-Road's files were not read"); }

  Finding proxys_health() const {
    if (!subject_.xroad_read) return not_looked();
    if (proxy_port_ == 0) return not_here("X-Road's own files set no health-check-port");
    if (owner_ == Owner::Companion && one_port()) {
      return wrong(Fault::Start, "xroad-companion has its port " + std::to_string(proxy_port_),
                   own_port());
    }
    return ask(settings_.proxy_answers.proxy_health, "systemctl restart xroad-proxy",
               "xroad-companion check tells more");
  }

  Finding our_health() const {
    if (settings_.health.port == 0) return not_here("no port is configured");
    if (owner_ != Owner::Companion && !wanted()) return not_here("the companion is not used here");
    if (owner_ != Owner::Companion) return unknown("not looked at: the companion does not run");
    return ask({reachable(settings_.health.host), settings_.health.port, "/"},
               std::string("systemctl restart ") + kUnit, "xroad-companion status tells more");
  }

  Finding ask(const HttpTarget& target, const std::string& silent, const std::string& ill) const {
    constexpr int kInMaintenance = 503;
    try {
      const HttpReply reply = get(target);
      const std::string words = target.text() + " answers " + std::to_string(reply.status);
      const std::string body = excerpt(trim(reply.body), 120);
      if (reply.status == 200) return fine(words);
      if (reply.status == kInMaintenance) return fine(words + ": " + body);
      return wrong(Fault::Mismatch, words + ": " + body, ill);
    } catch (const Error& error) {
      return wrong(error.fault(), error.text(), silent);
    }
  }

  // Anything that speaks HTTP there is it: older ones know none of today's paths.
  Finding proxys_admin() const {
    HttpTarget target = settings_.memory.proxy_admin;
    target.path = "/";
    if (owner_ == Owner::Companion && settings_.admin.port == target.port) {
      return wrong(Fault::Start,
                   "xroad-companion has its port " + std::to_string(target.port) +
                       ": xroad-proxy cannot start its own",
                   "write port = 5590 below [admin] of " + escape(subject_.places.config.own) +
                       " and systemctl restart " + kUnit);
    }
    try {
      get(target);
      return fine(target.text() + " answers");
    } catch (const Error& error) {
      return wrong(error.fault(), error.text(), "systemctl restart xroad-proxy");
    }
  }

  const DoctorSubject& subject_;
  const NodeSettings& settings_;
  std::uint16_t proxy_port_;
  Owner owner_ = Owner::Nobody;
};

}  // namespace

Findings look_at_health(const DoctorSubject& subject) { return Health(subject).look(); }

}  // namespace xs
