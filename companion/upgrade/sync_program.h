// SPDX-License-Identifier: MIT
// SyncProgram: xroad-sync of this node, run as its unit runs it: as the account of X-Road, with the
// environment of /etc/default/xroad-sync. Called by the upgrade. Every failure carries the
// program's own words; its exit codes are our classes, so a sync that could not connect is an Error
// of class Network here, too. Start: there is no such program.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/clock.h"
#include "companion/node_settings.h"

namespace xs {

struct SyncPause {
  std::string by, reason;
  bool ends = false;          // by itself
  std::string words() const;  // "by root: upgrade", escaped
};

class SyncProgram {
 public:
  // Finds the program; throws Start with the places where it was looked for.
  SyncProgram(const UpgradeSettings& settings, Clock& clock);

  // The pause that holds now, as the program itself sees it.
  std::optional<SyncPause> pause_now() const;
  // The run that is at work now, in words, escaped. Throws Mismatch when that cannot be told.
  std::optional<std::string> run_at_work() const;
  // Verified: Action when it is not paused afterwards. A run that is at work is not waited for.
  void pause(const std::string& reason) const;
  // Ends what `pause` began; the cluster guide's flag is not ours.
  inline static const std::vector<std::string> kResume{"resume", "--keep-flag"};
  void resume() const { must_run(kResume); }
  // One sync, now. Another run at work is waited for. Paused is a failure.
  void run_now(Instant deadline) const;

  // The command as a person would type it.
  std::string text(const std::vector<std::string>& words) const;

 private:
  std::vector<std::string> argv(const std::vector<std::string>& words) const;
  ChildResult run(const std::vector<std::string>& words, Duration limit) const;
  // Throws unless it ended with 0.
  std::string must_run(const std::vector<std::string>& words) const;
  // What `status --json` says, as `read` takes it; Mismatch with `question` when it does not.
  template <class Read>
  auto ask_status(const char* question, Read read) const;

  Clock& clock_;
  std::string program_, config_;
  std::vector<std::string> environment_;
  std::optional<ChildUser> user_;
};

}  // namespace xs
