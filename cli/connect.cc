// SPDX-License-Identifier: MIT
#include "cli/connect.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "base/error.h"
#include "cli/use_config.h"

namespace xs::cli {
namespace {

constexpr std::time_t kBootSeconds = 180;

}  // namespace

bool worth_a_retry(Fault fault) {
  return fault == Fault::Network || fault == Fault::ConnectTimeout || fault == Fault::Stream ||
         fault == Fault::Timeout;
}

bool is_booting() {
  timespec up{};
  ::clock_gettime(CLOCK_BOOTTIME, &up);
  return std::getenv("INVOCATION_ID") != nullptr && up.tv_sec < kBootSeconds;
}

Instant last_attempt(const RetryConfig& retry, Instant start, Instant run_end, bool booting) {
  return booting ? std::min(run_end, start + retry.boot_delay) : run_end;
}

Deadlines run_deadlines(const Config& config, bool booting) {
  Deadlines deadlines = config.deadlines;
  if (!booting) return deadlines;
  for (auto* step : {&deadlines.connect, &deadlines.login, &deadlines.first_byte}) {
    *step = std::min(*step, config.retry.boot_delay);
  }
  return deadlines;
}

std::unique_ptr<Stream> connect(const Config& config, Clock& clock, Instant run_end,
                                const std::function<double()>& chance) {
  const Endpoint primary = endpoint(config);
  TransportOptions options = transport_options(config);
  const bool booting = is_booting();
  const Instant last = last_attempt(config.retry, clock.now(), run_end, booting);
  options.deadlines = run_deadlines(config, booting);
  Duration pause = config.retry.delay;
  for (unsigned attempt = 0;; ++attempt, pause *= 2) {
    try {
      return open_transport(primary, options, clock);
    } catch (const Error& error) {
      const auto wait = std::chrono::duration_cast<Duration>(pause * (0.5 + chance()));
      const bool again = worth_a_retry(error.fault()) && attempt < config.retry.retries &&
                         clock.now() + wait < last;
      if (!again) throw;
      spdlog::info("{}; trying again in {} ms", error.text(),
                   std::chrono::duration_cast<std::chrono::milliseconds>(wait).count());
      clock.poll({}, clock.now() + wait);
    }
  }
}

}  // namespace xs::cli
