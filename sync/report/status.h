// SPDX-License-Identifier: MIT
// Status: what a node last did, for people, for monitoring and for the companion. One JSON file,
// replaced atomically and durably at the end of every run, readable by all (0644), without secrets.
// A run that fails keeps what is known of the last one that succeeded. The reader takes the file as
// somebody else's: absent, broken or of another version is a value, not a failure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace xs {

using WallSeconds = std::int64_t;  // since the epoch

struct StatusPause {
  std::string by, reason;
  WallSeconds since = 0;
  std::optional<WallSeconds> until;
  bool operator==(const StatusPause&) const = default;
};

struct StatusFailure {
  int exit = 0;
  std::string kind;  // FaultInfo::name
  std::string text;
  bool operator==(const StatusFailure&) const = default;
};

struct StatusCounts {
  std::uint64_t total = 0, changed = 0, deleted = 0, problems = 0;
  std::uint64_t sent = 0, received = 0, literal = 0, matched = 0;
  bool operator==(const StatusCounts&) const = default;
};

// Of all runs since the file was first written.
struct StatusTraffic {
  std::uint64_t sent = 0, received = 0, literal = 0, matched = 0;
  bool operator==(const StatusTraffic&) const = default;
};

struct StatusRun {
  WallSeconds at = 0;  // when it ended
  std::uint64_t duration_ms = 0;
  StatusCounts counts;
  bool operator==(const StatusRun&) const = default;
};

struct Status {
  std::string version;  // of the program
  std::string node;     // us
  std::string primary;  // as the operator calls it
  // Hex, of what we hold; empty before the first success and after a rollback.
  std::string generation;
  std::uint64_t kept = 0;  // the generation number that rollback would take; 0: none
  StatusTraffic traffic;
  std::optional<StatusRun> last_run;      // any
  std::optional<StatusRun> last_success;  // with exit 0
  std::optional<StatusFailure> failure;   // of the last run
  std::optional<StatusPause> paused;
  std::optional<WallSeconds> pin_changed;  // the token needs a new login since then
  std::optional<WallSeconds> next_run;     // where a timer is known
  bool operator==(const Status&) const = default;
};

// Asked now, and never in the file: whether a run is at work.
struct StatusRunning {
  bool known = false;
  std::optional<std::uint64_t> process;  // of the run; 0: it does not tell. Nothing: none is
  WallSeconds since = 0;
};

// What a run makes of the status before it.
Status after_success(Status before, StatusRun run, std::string generation, std::uint64_t kept);
Status after_failure(Status before, StatusRun run, const Error& error);
Status after_rollback(Status before, std::uint64_t kept);
Status after_pause(Status before, StatusRun run, StatusPause pause);

enum class StatusRead : std::uint8_t { Found, Absent, Broken, OtherVersion, Unreadable };
struct StatusFile {
  StatusRead read = StatusRead::Absent;
  std::string why;  // what is wrong with it
  Status status;    // as much as could be read
};

std::string to_json(const Status& status);  // one object, a newline at its end
// With "running": false, {"process", "since"}, or null where it is not known.
std::string to_json(const Status& status, const StatusRunning& running);
StatusFile parse_status(std::string_view json);

void write_status(const std::string& path, const Status& status);
// At most 64 KiB are read.
StatusFile read_status(const std::string& path);

}  // namespace xs
