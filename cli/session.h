// SPDX-License-Identifier: MIT
// Session: one dialogue with the primary, from the configuration to the engine's result. Called by
// the verbs that need one: pull, diff, verify. What the primary and the local tree need before they
// can talk (login; lock, recovery, scan) is done side by side.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cli/config.h"
#include "sync/receiver.h"
#include "sync/report/detail.h"
#include "sync/report/stats.h"
#include "sync/xroad/guard.h"
#include "sync/xroad/wake.h"

namespace xs::cli {

// What came of it.
struct Outcome {
  PullResult result;
  std::vector<ChangeDetail> details;  // of result.changes
  RunStats stats;
};

class Session {
 public:
  // Checks the node's role (Role).
  Session(const Config& config, Clock& clock);

  // For the verb to adapt, before run().
  PullRequest& request() { return request_; }
  std::uint64_t run_id() const { return request_.run_id; }
  std::string source() const;  // user@host:/path, escaped

  // Completes the commit of an earlier run that was cut short, if there is one: first of all, and
  // whether or not this run will do anything else. Locked: another run is at work.
  void complete_earlier();
  Outcome run();

  // Of the wake, after run(); the sync stays committed.
  const std::vector<std::string>& failures() const { return waker_.failures(); }
  // What a completed commit of an earlier run has changed, also when run() failed later; once.
  std::optional<std::vector<ChangeDetail>> take_recovered() {
    return std::exchange(recovered_, std::nullopt);
  }
  Duration elapsed() const { return clock_.now() - start_; }
  // Bytes on the wire so far.
  std::uint64_t sent() const { return sent_; }
  std::uint64_t received() const { return received_; }

 private:
  void make_request();
  PullResult talk(Receiver& receiver, Stream& stream);
  void note_recovery(const Recovery& recovery);

  const Config& config_;
  Clock& clock_;
  const Instant start_;
  const Instant end_;
  GuardRules guard_;
  Waker waker_;
  PullRequest request_;
  Outcome outcome_;
  std::optional<std::vector<ChangeDetail>> recovered_;
  std::vector<Problem> recovery_problems_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

// The changes of a completed commit, with what the tree says of their paths now.
std::vector<ChangeDetail> details_of(const Recovery& recovery, const std::string& destination);

// The role that node.ini gives us must be a secondary's; Role otherwise. For every verb that
// changes the tree.
void check_node(const Config& config);
// New for every run.
std::uint64_t new_run_id();
WakeAction wake_of(const WakeConfig& wake);
GuardRules guard_of(const Config& config);

}  // namespace xs::cli
