// SPDX-License-Identifier: MIT
// "Configuration sync age", ours, for a secondary: has xroad-sync succeeded lately? Reads the
// status file that it writes after each run, and may compare generations with other nodes, whose
// companions are asked for their /status.json. A difference is held against the node that synced
// less recently, and never because the other one is stale, paused or in maintenance mode.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "companion/check.h"
#include "companion/http_get.h"
#include "companion/wall.h"

namespace xs {

struct PeerSync;
struct SyncStatus;

struct SyncAgeSettings {
  std::string status_file = "/var/lib/xroad-sync/status.json";
  std::chrono::seconds max_age{600};         // of the last success
  std::chrono::seconds max_pause{14'400};    // a pause may last this long and excuse an old sync
  std::vector<HttpTarget> peers;             // path /status.json; one that is silent is no failure
  std::chrono::seconds max_difference{300};  // how long another generation may be held
};

// Only who asks again and again comes to say it.
inline constexpr const char* kConfigurationDiffers = "Configuration differs from other nodes";

class SyncAgeCheck final : public Check {
 public:
  explicit SyncAgeCheck(SyncAgeSettings settings, Wall wall = wall_now);
  std::string name() const override { return "Configuration sync age"; }
  std::string word() const override { return "sync-age"; }
  Verdict ask(Clock& clock, Instant deadline) override;

 private:
  Verdict judge(const SyncStatus& status, Clock& clock, Instant deadline);
  std::string compare(const SyncStatus& status, Clock& clock, Instant deadline);
  bool differs(const PeerSync& peer, const std::string& generation) const;

  SyncAgeSettings settings_;
  Wall wall_;
  std::size_t compared_ = 0;                           // peers that told their generation
  std::vector<std::optional<Instant>> differs_since_;  // of each peer
};

}  // namespace xs
