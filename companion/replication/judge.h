// SPDX-License-Identifier: MIT
// What a monitor should think of a ReplicationStatus: a monitoring plugin's word, exit code and
// line. Pure. Called by `replication status --check`; the worst finding counts, and every finding
// is named.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "companion/replication/status.h"

namespace xs {

enum class Health : std::uint8_t { Ok = 0, Warning = 1, Critical = 2, Unknown = 3 };
std::string_view health_word(Health health);
// Which is worse: Ok, Unknown, Warning, Critical.
Health worse(Health a, Health b);

struct LagLimit {
  std::optional<std::uint64_t> bytes;
  std::optional<double> seconds;
};
// "16MB", "60s", "5min", "2h": a number without a unit is refused. Throws Usage.
void add_limit(LagLimit& limit, const std::string& text);

struct ReplicationLimits {
  LagLimit warn{16U << 20, 60.0};
  LagLimit crit{256U << 20, 600.0};
  double silence = 90;    // seconds since the primary's last message
  unsigned standbys = 0;  // of a primary: how many there should be

  // Nothing is critical before it is a warning.
  void raise_crit();
};

struct Judgement {
  Health health = Health::Ok;
  std::string text;
};

// Sorts them, the worst first, and tells the worst; there is at least one.
Health order_findings(std::vector<Judgement>& findings);

// "REPLICATION OK - words | numbers", with its newline. Each number begins with a blank.
std::string monitor_line(Health health, std::string words, const std::string& numbers);

struct ReplicationVerdict {
  Health health = Health::Ok;
  std::vector<Judgement> findings;  // the worst first; at least one
  // The line of a monitoring plugin, and what stands in it before and behind the bar.
  std::string words(const ReplicationStatus& status) const;
  std::string numbers(const ReplicationStatus& status, const ReplicationLimits& limits) const;
  std::string line(const ReplicationStatus& status, const ReplicationLimits& limits) const;
};

ReplicationVerdict judge(const ReplicationStatus& status, const ReplicationLimits& limits);

}  // namespace xs
