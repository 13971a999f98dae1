// SPDX-License-Identifier: MIT
#include "companion/upgrade/waits.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "companion/mend.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPoll = 100ms;
constexpr Duration kAskSync = 500ms;  // each question is a process
constexpr Duration kSpeak = 5s;

// Says what is missing now and then.
class Speaker {
 public:
  explicit Speaker(const UpgradeWait& wait) : wait_(wait), spoken_(wait.clock.now()) {}
  void operator()(const std::string& missing) {
    if (wait_.clock.now() - spoken_ < kSpeak) return;
    wait_.tell(missing);
    spoken_ = wait_.clock.now();
  }

 private:
  const UpgradeWait& wait_;
  Instant spoken_;
};

std::string words_of(const Reading& reading) {
  std::string text = "the check '" + escape(reading.check.name) + "' does not pass: " +
                     (reading.known ? escape(reading.message) : "there is no answer yet");
  if (!reading.detail.empty()) text += "; why: " + escape_again(reading.detail);
  const std::string mend = mend_for(reading.check.word, reading.message);
  return mend.empty() ? text : text + "; mend: " + mend;
}

// The first check that failed, or has no answer from after `begin`.
std::optional<std::string> first_trouble(const StatusReport& report, Duration elapsed) {
  if (const Reading* failure = report.first_failure()) return words_of(*failure);
  for (const Reading& reading : report.checks) {
    if (reading.age >= elapsed) {
      return "the check '" + escape(reading.check.name) + "' was not asked again yet";
    }
  }
  return std::nullopt;
}

}  // namespace

bool may_come_back(const Error& error) {
  return error.fault() == Fault::Network || error.fault() == Fault::Timeout ||
         error.fault() == Fault::Stream;
}

void wait_for_health(const AdminClient& companion, const UpgradeWait& wait, int status) {
  Clock& clock = wait.clock;
  for (;;) {
    int now = 0;
    try {
      now = companion.health();
      if (now == 0) now = companion.report().ready() ? 200 : 503;
      if (now == status) return;
    } catch (const Error& error) {
      if (!may_come_back(error) || clock.now() >= wait.end) throw;
    }
    if (clock.now() >= wait.end) {
      throw Error(Fault::Mismatch, "the health port answers " + std::to_string(now) + ", not " +
                                       std::to_string(status));
    }
    clock.poll({}, std::min(clock.now() + kPoll, wait.end));
  }
}

void wait_for_checks(const AdminClient& companion, const UpgradeWait& wait) {
  Clock& clock = wait.clock;
  const Instant begin = clock.now();
  for (Speaker speak(wait);;) {
    std::optional<std::string> trouble;
    try {
      trouble = first_trouble(companion.report(), clock.now() - begin);
      if (!trouble) return;
    } catch (const Error& error) {
      if (!may_come_back(error) || clock.now() >= wait.end) throw;
      trouble = error.text();
    }
    if (clock.now() >= wait.end) throw Error(Fault::Mismatch, *trouble);
    speak(*trouble);
    clock.poll({}, std::min(clock.now() + kPoll, wait.end));
  }
}

void wait_for_sync_end(const SyncProgram& sync, const UpgradeWait& wait) {
  Clock& clock = wait.clock;
  for (Speaker speak(wait);;) {
    const auto run = sync.run_at_work();
    if (!run) return;
    if (clock.now() >= wait.end) {
      throw Error(Fault::Locked, *run + " has not ended; it may still change this node");
    }
    speak("waiting for the end of " + *run);
    clock.poll({}, std::min(clock.now() + kAskSync, wait.end));
  }
}

MaintenanceState patient_maintenance(const AdminClient& companion, const UpgradeWait& wait) {
  for (;;) {
    try {
      return companion.report().maintenance;
    } catch (const Error& error) {
      if (!may_come_back(error) || wait.clock.now() >= wait.end) throw;
    }
    wait.clock.poll({}, std::min(wait.clock.now() + kPoll, wait.end));
  }
}

}  // namespace xs
