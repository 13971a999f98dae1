// SPDX-License-Identifier: MIT
// Reporter: tells everybody who wants to know how a run went: stdout (plain, or --json events), the
// log file, the journal, the status file, the metrics. Called by pull, after the fact. A channel
// that cannot be written is a warning, never the end of a run: keys matter more than their log.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/config.h"
#include "cli/session.h"
#include "sync/report/events.h"
#include "sync/report/itemize.h"
#include "sync/report/journal_events.h"
#include "sync/report/run_log.h"
#include "sync/report/status.h"
#include "sync/xroad/hooks.h"

namespace xs::cli {

class Reporter {
 public:
  // Checks the formats (Usage, Unsupported) before anything is done.
  Reporter(const Config& config, std::uint64_t run_id, std::string source);

  void started();
  // The commit of an earlier run was completed, and this is what it has changed.
  void recovered(const std::vector<ChangeDetail>& details, const HookReport& hooks);
  void paused(const StatusPause& pause, const std::vector<std::string>& failures);
  // Something that a reader should know of a run that goes on.
  void notice(JournalEvent event, std::string_view code, const std::string& sentence);
  void done(const Outcome& outcome, const HookReport& hooks,
            const std::vector<std::string>& failures);
  // Not a sync, but the tree is another one: log, journal and status tell.
  void rolled_back(const std::string& sentence, std::uint64_t kept);
  void failed(const Error& error, Duration elapsed, std::uint64_t sent, std::uint64_t received);

  // What the program ends with: 0, or the class of the first thing that went wrong.
  int exit_code() const { return exit_; }

 private:
  ItemContext context() const;
  RunReport report_of(const Outcome& outcome) const;
  std::optional<Error> failed_actions(const HookReport& hooks,
                                      const std::vector<std::string>& failures) const;
  std::optional<Error> verdict(const Outcome& outcome, const HookReport& hooks,
                               const std::vector<std::string>& failures) const;
  void print(const Outcome& outcome, const RunReport& report);
  void events_of(const Outcome& outcome);
  void log(const RunReport& report, const std::optional<Error>& error);
  void tell_journal(const Outcome& outcome);
  void remember(const std::function<Status(Status)>& change);
  void write_log(const std::function<std::string(const RunLog&)>& text);
  void tell_notices() const;
  void tell_hooks(const HookReport& hooks);
  std::vector<std::string> unlogged() const {
    return {notices_.begin() + static_cast<std::ptrdiff_t>(logged_), notices_.end()};
  }
  void say(const Error& error) const;
  void end(bool changed, Duration elapsed, std::uint64_t sent, std::uint64_t received);

  const Config& config_;
  const std::string source_;
  const ItemStyle style_;
  const ItemFormat log_format_;
  const std::optional<ItemFormat> out_format_;
  std::optional<EventWriter> events_;
  std::optional<JournalEvents> journal_;
  std::vector<std::string> notices_;
  std::size_t logged_ = 0;  // of the notices
  bool recovered_ = false;
  std::vector<std::string> hook_failures_;  // after a recovery
  int exit_ = 0;
};

}  // namespace xs::cli
