// SPDX-License-Identifier: MIT
// The verbs that ask: check, status, maintenance.
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "cli/companion_verbs.h"
#include "companion/http_get.h"
#include "companion/make_checks.h"
#include "companion/service.h"
#include "companion/status_report.h"

namespace xs::cli {
namespace {

constexpr Duration kAskFor = std::chrono::seconds(3);

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

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

HttpTarget admin_of(const NodeSettings& settings, const std::string& path) {
  if (settings.admin.port == 0) {
    throw Error(Fault::Usage, settings.admin.where + ": the admin port is off, so nobody can ask");
  }
  const bool any = settings.admin.host == "0.0.0.0" || settings.admin.host == "::";
  return {any ? "127.0.0.1" : settings.admin.host, settings.admin.port, path};
}

// What the running companion says of this node. Throws Network when none runs, Protocol when
// somebody else answers there.
StatusReport ask_companion(const NodeSettings& settings, Clock& clock) {
  const HttpTarget target = admin_of(settings, "/status.json");
  const HttpReply reply = http_get(target, clock, clock.now() + kAskFor);
  if (reply.status == 200) return parse_report(reply.body);
  throw Error(Fault::Protocol, target.text() + " answered " + std::to_string(reply.status) +
                                   ": another program, perhaps xroad-proxy, has the port of "
                                   "xroad-companion: see [admin] port in " +
                                   settings.places.own);
}

// Nothing when no companion runs.
std::optional<StatusReport> ask_if_running(const NodeSettings& settings, Clock& clock,
                                           std::string* why = nullptr) {
  try {
    return ask_companion(settings, clock);
  } catch (const Error& error) {
    if (why != nullptr) *why = error.text();
    return std::nullopt;
  }
}

// The checks, asked once in this process.
class OneShot {
 public:
  OneShot(const NodeSettings& settings, Clock& clock)
      : board_(make_checks(settings), clock), clock_(clock) {
    report_.version = XS_VERSION;
    report_.role = settings.role;
    report_.left_out = left_out_checks(settings);
  }
  StatusReport ask() {
    board_.wait_until_known(clock_.now() + CheckTimes().deadline + std::chrono::seconds(1));
    report_.checks = board_.readings();
    return report_;
  }
  // A check that is stuck must not keep the process, nor meet what exit() takes apart.
  int end(int code) {
    std::fflush(stdout);
    if (!board_.stop(std::chrono::milliseconds(100))) std::_Exit(code);
    return code;
  }

 private:
  Board board_;
  Clock& clock_;
  StatusReport report_;
};

int check_node(const ConfigPlaces& places, CheckFormat format, Clock& clock) {
  const NodeSettings settings = load_node_settings(places);
  OneShot once(settings, clock);
  StatusReport report = once.ask();
  if (const auto running =
          settings.admin.port == 0 ? std::nullopt : ask_if_running(settings, clock)) {
    report.maintenance = running->maintenance;
  } else if (settings.maintenance_survives) {
    report.maintenance = Maintenance(wall_now, settings.maintenance_file).state();
  }
  switch (format) {
    case CheckFormat::Table: print(report_text(report, wall_now())); break;
    case CheckFormat::Json: print(report_json(report)); break;
    case CheckFormat::Monitor: print(monitor_line(report)); break;
  }
  return once.end(monitor_code(report));
}

}  // namespace

int companion_check(const ConfigPlaces& places, CheckFormat format, Clock& clock) {
  constexpr int kUnknown = 3;
  try {
    return check_node(places, format, clock);
  } catch (const Error& error) {
    // A monitor reads one line of stdout; people and cron read stderr.
    std::fprintf(
        format == CheckFormat::Monitor ? stdout : stderr, "%s%s\n",
        format == CheckFormat::Monitor ? "XROAD UNKNOWN - " : "xroad-companion: ", error.what());
    return kUnknown;
  }
}

int companion_status(const NodeSettings& settings, bool json, Clock& clock) {
  std::string why;
  if (const auto running = ask_if_running(settings, clock, &why)) {
    print(json ? report_json(*running) : report_text(*running, wall_now()));
    return 0;
  }
  std::fprintf(stderr, "xroad-companion: no companion answers, so the checks are asked now: %s\n",
               why.c_str());
  OneShot once(settings, clock);
  const StatusReport report = once.ask();
  print(json ? report_json(report) : report_text(report, wall_now()));
  return once.end(0);
}

int companion_set_maintenance(const NodeSettings& settings, const MaintenanceOrder& order,
                              Clock& clock) {
  ask_companion(settings, clock);  // so that nobody else's maintenance mode is changed
  std::string path = std::string("/maintenance?targetState=") + (order.on ? "true" : "false");
  if (order.drain) path += "&drain=true";
  if (!order.reason.empty()) path += "&reason=" + percent(order.reason);
  if (order.lasts) path += "&until=" + std::to_string(wall_now() + order.lasts->count());
  const HttpTarget target = admin_of(settings, path);
  const HttpReply reply = http_get(target, clock, clock.now() + kAskFor);
  const std::string said = escape(trim(reply.body));
  if (reply.status != 200 || !said.starts_with("Maintenance mode set:")) {
    throw Error(Fault::Unsupported,
                "the companion answered " + std::to_string(reply.status) + ": " + said);
  }
  print(said + "\n");
  return 0;
}

int companion_show_maintenance(const NodeSettings& settings, Clock& clock) {
  const StatusReport report = ask_companion(settings, clock);
  print(maintenance_text(report.maintenance, wall_now()) + "\n");
  return 0;
}

}  // namespace xs::cli
