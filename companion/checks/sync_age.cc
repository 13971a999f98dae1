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

std::string failure_words(const SyncStatus& status) {
  if (status.failure.empty()) return "";
  return "; the last run failed: " + status.failure;
}

}  // namespace

SyncAgeCheck::SyncAgeCheck(SyncAgeSettings settings, Wall wall)
    : settings_(std::move(settings)),
      wall_(std::move(wall)),
      differs_since_(settings_.peers.size()) {}

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
  const std::string other = compare(status, clock, deadline);
  if (!other.empty()) return {false, kConfigurationDiffers, other};
  // So that peers of another port, or without remote-read, do not pass for an agreement.
  const std::size_t peers = settings_.peers.size();
  const std::string with = peers == 0 ? ""
                                      : ", compared with " + std::to_string(compared_) + " of " +
                                            std::to_string(peers) + " peers";
  return {
      true, "",
      "the last success was " + span_text(std::max<std::int64_t>(age, 0)) + " ago" + excuse + with};
}

// Only a peer that keeps syncing itself can show that we hold the wrong thing. One that has not for
// as long as a difference may last must not begin with the time of a difference that it made.
bool SyncAgeCheck::differs(const PeerSync& peer, const std::string& generation) const {
  return !peer.generation.empty() && peer.generation != generation && !peer.waits && peer.age &&
         *peer.age < settings_.max_difference.count();
}

// A node that just synced is ahead of one that is about to: only a difference that stays counts.
std::string SyncAgeCheck::compare(const SyncStatus& status, Clock& clock, Instant deadline) {
  // After a start the health port says no until this has an answer, so peers that are silent must
  // not cost more than one probe of a balancer.
  constexpr Duration kAtMost = std::chrono::seconds(1);
  const Instant end = std::min(deadline, clock.now() + kAtMost);
  std::string different;
  compared_ = 0;
  const std::int64_t age = wall_() - *status.last_success;
  for (std::size_t i = 0; i < settings_.peers.size(); ++i) {
    const HttpTarget& peer = settings_.peers[i];
    std::optional<Instant>& since = differs_since_[i];
    try {
      const Instant until = share_of(clock.now(), end, settings_.peers.size() - i);
      const PeerSync theirs = peer_sync(http_get(peer, clock, until));
      if (!theirs.generation.empty()) ++compared_;
      if (!differs(theirs, status.generation)) {
        since.reset();
        continue;
      }
      if (!since) since = clock.now();
      if (clock.now() - *since < settings_.max_difference || *theirs.age >= age) continue;
      different += ", " + peer.text() + " holds " + theirs.generation;
    } catch (const Error&) {
      // A peer that is down says nothing about us; its own health check does.
      since.reset();
    }
  }
  if (different.empty()) return "";
  return "this node holds generation " + status.generation + different;
}

}  // namespace xs
