// SPDX-License-Identifier: MIT
// "Database replication status", ours, for a secondary: does its database receive the primary's
// changes, and how far is it behind? Asks the local database of db.properties. The state of the
// receiver is shown to members of pg_monitor only: without it the check fails and says the GRANT.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "companion/check.h"

namespace xs {

struct ReplicationSettings {
  std::string db_properties = "/etc/xroad/db.properties";
  std::uint64_t max_lag_bytes = 16U << 20;
  std::chrono::seconds max_lag{60};
  std::chrono::seconds max_silence{90};  // since the primary's last message
  bool fail_when_paused = false;         // lag still counts while replay is paused
  bool standby_expected = true;          // false: a primary passes as well
};

// What the database says of itself.
struct ReplicationState {
  bool in_recovery = false;
  bool receiver = false;      // there is a receiver process
  std::string receiver_word;  // "streaming", ...; empty: not shown to this user
  std::optional<std::uint64_t> received, replayed, primary_end;  // positions in the log, bytes
  std::optional<std::int64_t> replayed_ago;  // seconds since the last transaction that was replayed
  std::optional<std::int64_t> message_ago;   // since the primary's last message
  std::string pause;                         // "not paused", "pause requested", "paused"

  bool moves = false;  // replay has come to where the log ended a moment before

  // The primary says how far it is. Without that, what once came would pass for all that there is.
  bool lag_is_known(const ReplicationSettings& settings) const;
  std::uint64_t end() const;  // of what is known of the log
  std::uint64_t lag_bytes() const;
  std::int64_t lag_seconds() const;  // 0 when caught up, or about to
};

Verdict judge_replication(const ReplicationState& state, const ReplicationSettings& settings);
// Whether a second look may show that replay goes on.
bool only_seconds_fail(const ReplicationState& state, const ReplicationSettings& settings);

class ReplicationCheck final : public Check {
 public:
  explicit ReplicationCheck(ReplicationSettings settings);
  std::string name() const override { return "Database replication status"; }
  std::string word() const override { return "replication"; }
  Verdict ask(Clock& clock, Instant deadline) override;
  // For status and metrics.
  static ReplicationState look(const std::string& db_properties, Clock& clock, Instant deadline);

 private:
  ReplicationSettings settings_;
};

}  // namespace xs
