// SPDX-License-Identifier: MIT
#include "companion/checks/sync_age.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/sync_status.h"
#include "companion/tcp.h"

namespace xs {
namespace {

constexpr const char* kOld = "Configuration sync is too old";
constexpr const char* kDifferent = "Configuration differs from other nodes";

std::string failure_words(const SyncStatus& status) {
  if (status.failure.empty()) return "";
  return "; the last run failed: " + status.failure;
}

}  // namespace

SyncAgeCheck::SyncAgeCheck(SyncAgeSettings settings, Wall wall)
    : settings_(std::move(settings)), wall_(std::move(wall)) {}

Verdict SyncAgeCheck::ask(Clock& clock, Instant deadline) {
  const SyncStatus status = read_sync_status(settings_.status_file);
  Verdict verdict = judge(status, clock, deadline);
  if (status.last_success) {
    verdict.measured.push_back(
        {"age_seconds", static_cast<double>(wall_() - *status.last_success)});
    verdict.measured.push_back({"paused", status.paused_since ? 1.0 : 0.0});
    verdict.facts.push_back({"generation", status.generation});
  }
  return verdict;
}

Verdict SyncAgeCheck::judge(const SyncStatus& status, Clock& clock, Instant deadline) {
  if (!status.trouble.empty()) return {false, kOld, status.trouble};
  if (!status.last_success) {
    return {false, kOld, "no run of xroad-sync has succeeded yet" + failure_words(status)};
  }
  const std::int64_t now = wall_();
  const std::int64_t age = now - *status.last_success;
  if (age < -300) {
    return {false, kOld,
            "the last success is " + span_text(-age) + " in the future: one clock is wrong"};
  }
  std::string excuse;
  if (status.paused_since) {
    const std::int64_t paused = now - *status.paused_since;
    if (paused > settings_.max_pause.count()) {
      return {false, kOld, "paused for " + span_text(paused) + " by " + status.paused_by};
    }
    excuse = ", paused for " + span_text(paused) + " by " + status.paused_by;
  } else if (age > settings_.max_age.count()) {
    return {false, kOld, "the last success was " + span_text(age) + " ago" + failure_words(status)};
  }
  const std::string other = compare(status.generation, clock, deadline);
  if (!other.empty()) return {false, kDifferent, other};
  return {true, "",
          "the last success was " + span_text(std::max<std::int64_t>(age, 0)) + " ago" + excuse};
}

// A node that just synced is ahead of one that is about to: only a difference that stays counts.
std::string SyncAgeCheck::compare(const std::string& generation, Clock& clock, Instant deadline) {
  std::string different;
  for (std::size_t i = 0; i < settings_.peers.size(); ++i) {
    const HttpTarget& peer = settings_.peers[i];
    try {
      const Instant until = share_of(clock.now(), deadline, settings_.peers.size() - i + 1);
      const std::string theirs = peer_generation(http_get(peer, clock, until));
      if (!theirs.empty() && theirs != generation) {
        different += (different.empty() ? "" : ", ") + peer.text() + " holds " + theirs;
      }
    } catch (const Error&) {
      // A peer that is down says nothing about us; its own health check does.
      continue;
    }
  }
  if (different.empty()) {
    differs_since_.reset();
    return "";
  }
  if (!differs_since_) differs_since_ = clock.now();
  if (clock.now() - *differs_since_ < settings_.max_difference) return "";
  return "this node holds generation " + generation + ", " + different;
}

}  // namespace xs
