// SPDX-License-Identifier: MIT
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/companion_verbs.h"
#include "cli/notify.h"
#include "companion/make_checks.h"
#include "companion/service.h"

namespace xs::cli {
namespace {

constexpr Duration kGrace = std::chrono::seconds(2);

// Signals as a descriptor. Blocked before any thread starts, so that none of them takes one.
class Signals {
 public:
  Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
    if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) {
      throw_errno(Fault::Start, "pthread_sigmask", "signals");
    }
    fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) throw_errno(Fault::Start, "signalfd", "signals");
  }

  // The next one, or 0 at the deadline.
  int wait(Clock& clock, Instant deadline) {
    std::array wait{pollfd{fd_.get(), POLLIN, 0}};
    if (clock.poll(wait, deadline) == 0) return 0;
    signalfd_siginfo info{};
    return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                                : 0;
  }

 private:
  Fd fd_;
};

std::string place(const ListenAddress& endpoint) {
  if (endpoint.port == 0) return "off";
  return escape(endpoint.host) + " port " + std::to_string(endpoint.port);
}

// X-Road's proxy may start after us, at boot above all, and would find its port taken: that is
// worse than we without.
void refuse_ports_of_proxy(const NodeSettings& settings) {
  if (!settings.proxy_installed) return;
  const std::uint16_t proxys = settings.memory.proxy_admin.port;
  if (settings.admin.port != 0 && settings.admin.port == proxys) {
    throw Error(Fault::Usage, "the admin port is " + std::to_string(proxys) + " (" +
                                  settings.admin.where +
                                  "), which xroad-proxy of this node needs for itself: set port "
                                  "in section [admin] of " +
                                  settings.places.own + ", to 5590 for example");
  }
  if (settings.health.port != 0 && settings.health.port == settings.xroads_health_port) {
    throw Error(Fault::Usage, "the health port is " + std::to_string(settings.health.port) + " (" +
                                  settings.health.where +
                                  "), on which xroad-proxy of this node listens: set "
                                  "health-check-port in section [proxy] of " +
                                  settings.places.own + " to another one, 5598 for example");
  }
}

void introduce(const NodeSettings& settings, const std::vector<std::unique_ptr<Check>>& checks) {
  std::string words;
  for (const auto& check : checks) words += (words.empty() ? "" : ", ") + check->word();
  spdlog::info("this node is {}; checks: {}", settings.role, words.empty() ? "none" : words);
  for (const std::string& text : settings.ignored) spdlog::warn("{}; our default holds", text);
  for (const LeftOut& one : left_out_checks(settings)) {
    spdlog::info("check {} is switched on, and not asked: {}", one.word, one.why);
  }
  spdlog::info("health port: {}, admin port: {}, agent port: {}", place(settings.health),
               place(settings.admin), place(settings.agent));
  if (settings.health.port == 0) {
    spdlog::warn("health-check-port is 0 ({}): a load balancer has nothing to ask",
                 settings.health.where);
  }
  if (settings.role == "unknown") {
    spdlog::warn(
        "{}: the node type is neither master, slave nor standalone: X-Road takes it for "
        "standalone",
        settings.role_where);
  }
}

// The watchdog of systemd is fed by the board's own turns, not by this loop alone.
void feed_watchdog(Service& service, bool& silent) {
  if (service.came_round()) {
    silent = false;
    notify("WATCHDOG=1");
    return;
  }
  if (!std::exchange(silent, true)) spdlog::error("the board of checks does not come round");
}

void work(Service& service, Signals& signals, Clock& clock) {
  constexpr Duration kTurn = std::chrono::seconds(1);
  bool silent = false;
  for (Instant next = clock.now() + kTurn;;) {
    const int signal = signals.wait(clock, next);
    if (signal == SIGHUP) {
      spdlog::warn("SIGHUP: settings are read at start; use systemctl restart xroad-companion");
    } else if (signal != 0) {
      spdlog::info("{}: ending", signal == SIGTERM ? "SIGTERM" : "SIGINT");
      return;
    }
    if (clock.now() < next) continue;
    service.sweep();
    feed_watchdog(service, silent);
    next = clock.now() + kTurn;
  }
}

}  // namespace

int companion_serve(const NodeSettings& settings, Clock& clock) {
  Signals signals;
  refuse_ports_of_proxy(settings);
  ServicePorts ports = open_ports(settings);
  auto checks = make_checks(settings);
  introduce(settings, checks);
  Service service(std::move(ports), settings, std::move(checks), XS_VERSION, clock);
  notify("READY=1");
  work(service, signals, clock);
  notify("STOPPING=1");
  if (!service.stop(kGrace)) {
    spdlog::warn("a check is stuck and is left behind");
    spdlog::default_logger()->flush();
    // Its thread may use what exit() takes apart.
    std::_Exit(0);
  }
  return 0;
}

}  // namespace xs::cli
