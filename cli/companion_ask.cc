// SPDX-License-Identifier: MIT
// The verbs that ask: check, status, maintenance.
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "cli/companion_verbs.h"
#include "companion/admin_client.h"
#include "companion/make_checks.h"
#include "companion/service.h"
#include "companion/status_report.h"
#include "companion/upgrade/state.h"

namespace xs::cli {
namespace {

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

// Nothing when no companion runs.
std::optional<StatusReport> ask_if_running(const NodeSettings& settings, Clock& clock,
                                           std::string* why = nullptr) {
  try {
    return AdminClient(settings, clock).report();
  } catch (const Error& error) {
    if (why != nullptr) *why = error.text();
    return std::nullopt;
  }
}

// What one question cannot see: for how long the nodes have differed.
void take_difference(StatusReport& report, const StatusReport& running) {
  for (const Reading& theirs : running.checks) {
    if (theirs.message != kConfigurationDiffers) continue;
    for (Reading& ours : report.checks) {
      if (ours.check.word == theirs.check.word && ours.ok) ours = theirs;
    }
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
    report_.maintenance = maintenance_at_start(settings);
  }
  // `running`: what the companion of this node says; nothing: none answers.
  StatusReport ask(const std::optional<StatusReport>& running) {
    if (running) report_.maintenance = running->maintenance;
    board_.wait_until_known(clock_.now() + CheckTimes().deadline + std::chrono::seconds(1));
    report_.checks = board_.readings();
    if (running) take_difference(report_, *running);
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
  const StatusReport report = once.ask(ask_if_running(settings, clock));
  switch (format) {
    case CheckFormat::Table: print(report_text(report, wall_now())); break;
    case CheckFormat::Json: print(report_json(report)); break;
    case CheckFormat::Monitor: print(monitor_line(report)); break;
  }
  return once.end(monitor_code(report));
}

// One line, or none.
std::string upgrade_of(const NodeSettings& settings) {
  try {
    const auto state = load_upgrade(settings.upgrade.state_file);
    return state ? upgrade_words(*state, wall_now()) : "";
  } catch (const Error& error) {
    return error.text();
  }
}

// Out of maintenance mode, now or at an end that it has, this node would take work with its
// configuration frozen.
void refuse_during_upgrade(const NodeSettings& settings, const MaintenanceOrder& order) {
  if (order.on && !order.lasts) return;
  const auto state = load_upgrade(settings.upgrade.state_file);
  if (!state || !state->keeps_out()) return;
  throw Error(Fault::Refused,
              "an upgrade of this node is going on, " + upgrade_words(*state, wall_now()) +
                  (order.on ? "; maintenance mode must not end before it: leave out --for, or end "
                              "the upgrade first with: "
                            : "; it ends with: ") +
                  "xroad-companion upgrade finish");
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
  if (auto running = ask_if_running(settings, clock, &why)) {
    running->upgrade = upgrade_of(settings);
    print(json ? report_json(*running) : report_text(*running, wall_now()));
    return 0;
  }
  std::fprintf(stderr, "xroad-companion: no companion answers, so the checks are asked now: %s\n",
               why.c_str());
  OneShot once(settings, clock);
  StatusReport report = once.ask(std::nullopt);
  report.upgrade = upgrade_of(settings);
  print(json ? report_json(report) : report_text(report, wall_now()));
  return once.end(0);
}

int companion_set_maintenance(const NodeSettings& settings, const MaintenanceOrder& order,
                              Clock& clock) {
  refuse_during_upgrade(settings, order);
  MaintenanceState next;
  next.on = order.on;
  next.drain = order.drain;
  next.reason = order.reason;
  if (order.lasts) next.until = wall_now() + order.lasts->count();
  print(AdminClient(settings, clock).set_maintenance(next) + "\n");
  return 0;
}

int companion_show_maintenance(const NodeSettings& settings, Clock& clock) {
  const StatusReport report = AdminClient(settings, clock).report();
  print(maintenance_text(report.maintenance, wall_now()) + "\n");
  return 0;
}

}  // namespace xs::cli
