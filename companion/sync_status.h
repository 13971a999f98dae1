// SPDX-License-Identifier: MIT
// SyncStatus: what the companion needs of the status file that xroad-sync writes after each run,
// and of another companion's /status.json. Read by the check of the sync's age. A file that is
// missing, broken or of another version is a value (`trouble`); texts from it are escaped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "companion/http_get.h"

namespace xs {

struct SyncStatus {
  std::string trouble;     // why nothing else is set
  std::string generation;  // hex; empty before the first success
  std::string primary;
  std::string failure;  // of the last run, if it failed: its kind and text
  std::string paused_by;
  std::optional<std::int64_t> last_run, last_success, paused_since, paused_until, pin_changed;
};

SyncStatus parse_sync_status(std::string_view json);
SyncStatus read_sync_status(const std::string& path);

// What another node's /status.json tells of its sync.
struct PeerSync {
  std::string generation;           // empty: it tells none
  std::optional<std::int64_t> age;  // of its last success, by its own clock
  bool waits = false;               // paused, or in maintenance mode: it need not hold the newest
};
PeerSync peer_sync(const HttpReply& reply);

}  // namespace xs
