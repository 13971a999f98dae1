// SPDX-License-Identifier: MIT
// RunLog: the log file of a run, which readers of rsync's log read on: date, pid, items, deletions,
// totals. The lines are collected and appended in one go after the commit (RunLog::write), so the
// file never tells of a change that did not come about; a run that fails tells its cause in rsync's
// form and no items. Opened anew for every run under the rules of base/log.h (Io with the reason
// when it is refused). Also the plain output of -v, -i, -n and --stats: output_of().
#pragma once

#include <chrono>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sync/report/itemize.h"
#include "sync/report/stats.h"

namespace xs {

struct RunReport {
  std::vector<ChangeDetail> details;  // of what was done, or would be; ordered by the reporter
  std::vector<Problem> problems;      // paths that were left alone
  std::vector<Problem> stayed;        // directories that could not go
  std::vector<std::string>
      notices;  // whole sentences: a PIN that changed, a recovery, a forced run
  RunStats stats;
  DeletionsTold deletions = DeletionsTold::Last;
  ItemContext context;  // its time and pid are filled in here
};

class RunLog {
 public:
  using Now = std::time_t (*)();

  explicit RunLog(
      std::string path, ItemFormat format = ItemFormat(ItemFormat::kItemized),
      Now now = [] { return std::time(nullptr); });

  // The text of a run that came to its end; `verbose` has the totals in the two lines of -v.
  std::string text(const RunReport& report, bool verbose = false) const;
  // Its items and what is to be said of them, without a frame.
  std::string items_text(RunReport report) const;
  // Of one that did not, or that did with an exit code (23: problems): begins with what was told
  // of it.
  std::string failure_text(const Error& error, std::string_view program = "xroad-sync") const;
  // One sentence by itself.
  std::string note_text(std::string_view sentence) const;
  // Appends it, whole. A full disk is an Io error: the caller reports it and goes on.
  void write(std::string_view text) const;

 private:
  std::string stamped(std::string_view line) const;

  std::string path_;
  ItemFormat format_;
  Now now_;
};

struct OutputStyle {
  bool verbose = false;  // -v
  bool stats = false;    // --stats
  Human human = Human::Grouped;
  const ItemFormat* items = nullptr;  // -i, -v or --out-format; nullptr: no items
};
// What a run prints on stdout.
std::string output_of(RunReport report, const OutputStyle& style);

// "cause (code 23)", in one line, without rsync's source position.
std::string failure_line(const Error& error, std::string_view program);

}  // namespace xs
