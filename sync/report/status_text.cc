// SPDX-License-Identifier: MIT
#include "sync/report/status_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "base/text.h"

namespace xs {
namespace {

constexpr WallSeconds kClockSlack = 120;

WallSeconds whole_seconds(Duration span) {
  return std::chrono::duration_cast<std::chrono::seconds>(span).count();
}

enum class State : std::uint8_t { Ok, Stale, Paused, Failed, Unknown };

std::string_view word(State state) {
  constexpr std::array<std::string_view, 5> kWords{"ok", "stale", "paused", "failed", "unknown"};
  return kWords.at(static_cast<std::size_t>(state));
}

bool is_paused(const Status& status, WallSeconds now) {
  return status.paused && (!status.paused->until || *status.paused->until > now);
}

// Nothing before the first success.
std::optional<WallSeconds> age(const Status& status, WallSeconds now) {
  if (!status.last_success) return std::nullopt;
  return std::max<WallSeconds>(now - status.last_success->at, 0);
}

bool from_the_future(const Status& status, WallSeconds now) {
  const auto late = [now](const std::optional<StatusRun>& run) {
    return run && run->at > now + kClockSlack;
  };
  return late(status.last_run) || late(status.last_success);
}

State state_of(const StatusFile& file, WallSeconds now, const StatusLimits& limits) {
  const Status& status = file.status;
  if (file.read != StatusRead::Found || from_the_future(status, now)) return State::Unknown;
  if (is_paused(status, now)) return State::Paused;
  const auto old = age(status, now);
  const bool stale = old && *old > whole_seconds(limits.stale);
  if (stale) return State::Stale;
  if (status.failure || !old) return State::Failed;
  return State::Ok;
}

std::string ago(WallSeconds age) {
  if (age < 120) return std::to_string(age) + " s ago";
  if (age < 7'200) return std::to_string(age / 60) + " min ago";
  if (age < 172'800) return std::to_string(age / 3600) + " h ago";
  return std::to_string(age / 86400) + " days ago";
}

// The day too, where it is not today.
std::string clock_time(WallSeconds when, WallSeconds now) {
  const auto then = static_cast<std::time_t>(when);
  const auto today = static_cast<std::time_t>(now);
  std::tm a{};
  std::tm b{};
  if (::localtime_r(&then, &a) == nullptr || ::localtime_r(&today, &b) == nullptr) {
    return std::to_string(when);
  }
  const bool same = a.tm_year == b.tm_year && a.tm_yday == b.tm_yday;
  std::array<char, 64> text{};
  return {text.data(),
          std::strftime(text.data(), text.size(), same ? "%H:%M" : "%Y-%m-%d %H:%M", &a)};
}

std::string nodes(const Status& status) {
  if (status.primary.empty()) return escape(status.node);
  return escape(status.node) + " <- " + escape(status.primary);
}

std::string took(std::uint64_t ms) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f s", static_cast<double>(ms) / 1000);
  return text.data();
}

std::string changes(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " change" : " changes");
}

std::string success_text(const Status& status, WallSeconds now) {
  const StatusRun& run = *status.last_success;
  const std::string state = status.generation.empty()
                                ? "rolled back"
                                : "generation " + escape(status.generation.substr(0, 12));
  return state + "  last sync " + ago(age(status, now).value_or(0)) + ", took " +
         took(run.duration_ms) + ", " + changes(run.counts.changed + run.counts.deleted);
}

std::string failure_text(const Status& status) {
  if (!status.failure) return "no run since";
  return escape_again(status.failure->text) + " (code " + std::to_string(status.failure->exit) +
         ")";
}

std::string pause_text(const StatusPause& pause, WallSeconds now) {
  std::string text = "since " + clock_time(pause.since, now);
  if (!pause.by.empty()) text += " by " + escape(pause.by);
  if (!pause.reason.empty()) text += ": \"" + escape(pause.reason) + "\"";
  if (pause.until) text += "  until " + clock_time(*pause.until, now);
  return text;
}

std::string summary(State state, const StatusFile& file, WallSeconds now) {
  const Status& status = file.status;
  switch (state) {
    case State::Ok: return nodes(status) + "  " + success_text(status, now);
    case State::Paused: return escape(status.node) + "  " + pause_text(*status.paused, now);
    case State::Stale:
      return nodes(status) + "  last good sync " + ago(age(status, now).value_or(0)) + ": " +
             failure_text(status);
    case State::Failed:
      return nodes(status) + "  " +
             (status.last_success ? "last good sync " + ago(age(status, now).value_or(0))
                                  : std::string("never synced")) +
             ": " + failure_text(status);
    case State::Unknown: break;
  }
  if (file.read != StatusRead::Found) return escape_again(file.why);
  return nodes(status) + "  the status is of a time to come: is this node's clock right?";
}

std::string bracket(State state, const Status& status, WallSeconds now) {
  if (state == State::Paused) return "   [resume: xroad-sync resume]";
  if (state == State::Ok || state == State::Unknown || !status.next_run) return "";
  const WallSeconds left = *status.next_run - now;
  return left < 0 ? "" : "   [next try in " + std::to_string(left) + " s]";
}

bool pin_is_news(const Status& status, WallSeconds now, const StatusLimits& limits) {
  return status.pin_changed && now - *status.pin_changed <= whole_seconds(limits.pin_notice);
}

std::string second_line(const Status& status, WallSeconds now, const StatusLimits& limits) {
  std::string text;
  if (pin_is_news(status, now, limits)) {
    text += "notice  the PIN of the software token changed at " +
            clock_time(*status.pin_changed, now) + ": log in to the token on this node\n";
  }
  if (status.last_success && status.last_success->counts.problems > 0) {
    text += "notice  " + std::to_string(status.last_success->counts.problems) +
            " paths were left alone: see the log\n";
  }
  return text;
}

int severity(State state, const Status& status, WallSeconds now, const StatusLimits& limits) {
  switch (state) {
    case State::Ok: return pin_is_news(status, now, limits) ? 1 : 0;
    case State::Paused:
      return now - status.paused->since > whole_seconds(limits.long_pause) ? 1 : 0;
    case State::Stale: return age(status, now).value_or(0) > whole_seconds(limits.critical) ? 2 : 1;
    case State::Failed: return status.last_success ? 1 : 2;
    case State::Unknown: return 3;
  }
  return 3;
}

std::string performance(const Status& status, WallSeconds now, const StatusLimits& limits) {
  if (!status.last_success) return "";
  const StatusRun& run = *status.last_success;
  std::array<char, 64> seconds{};
  std::snprintf(seconds.data(), seconds.size(), "%.3fs",
                static_cast<double>(run.duration_ms) / 1000);
  return " | age=" + std::to_string(age(status, now).value_or(0)) + "s;" +
         std::to_string(whole_seconds(limits.stale)) + ";" +
         std::to_string(whole_seconds(limits.critical)) + ";0 duration=" + seconds.data() +
         " changes=" + std::to_string(run.counts.changed + run.counts.deleted);
}

}  // namespace

std::string status_text(const StatusFile& file, WallSeconds now, const StatusLimits& limits) {
  const State state = state_of(file, now, limits);
  std::string text = std::string(word(state)) + "  " + summary(state, file, now) +
                     bracket(state, file.status, now) + "\n";
  if (state != State::Unknown) text += second_line(file.status, now, limits);
  return text;
}

StatusCheck check_status(const StatusFile& file, WallSeconds now, const StatusLimits& limits) {
  constexpr std::array<std::string_view, 4> kWords{"OK", "WARNING", "CRITICAL", "UNKNOWN"};
  const State state = state_of(file, now, limits);
  StatusCheck check;
  check.code = severity(state, file.status, now, limits);
  std::string text = std::string(word(state)) + " " + summary(state, file, now);
  if (state == State::Ok && pin_is_news(file.status, now, limits))
    text += ", PIN changed: log in to the token";
  std::replace(text.begin(), text.end(), '|', '/');  // what follows a bar are measurements
  check.line = "XROAD_SYNC " + std::string(kWords.at(static_cast<std::size_t>(check.code))) +
               " - " + text +
               (state == State::Unknown ? "" : performance(file.status, now, limits)) + "\n";
  return check;
}

}  // namespace xs
