// SPDX-License-Identifier: MIT
// `xroad-sync status`: what the last runs did, from the status file and the pause alone: it needs
// no lock, no network and no rights but to read.
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "base/error.h"
#include "base/text.h"
#include "cli/paint.h"
#include "cli/pause.h"
#include "cli/verbs.h"
#include "sync/journal.h"
#include "sync/recovery.h"
#include "sync/report/status.h"
#include "sync/report/status_text.h"

namespace xs::cli {
namespace {

// The first word tells; its colour only helps the eye.
std::string with_painted_word(const std::string& text, Color color) {
  const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
  const std::string word = text.substr(0, end);
  const Paint paint = word == "ok" ? Paint::Green : word == "failed" ? Paint::Red : Paint::Yellow;
  return painted(word, paint, color, STDOUT_FILENO) + text.substr(end);
}

// Most readers of the status may not look into the staging area.
StatusRunning running_or_unknown(const std::string& destination) {
  try {
    return find_running(destination);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

int run_status(const Config& config, Clock&) {
  const WallSeconds now = std::time(nullptr);
  StatusFile file = read_status(config.report.status_file);
  // A pause may have come or gone since the last run, whatever became of what that wrote.
  file.status.paused = find_pause(config.pause, now);
  if (file.status.paused && file.read == StatusRead::Absent) file.read = StatusRead::Found;
  if (config.verb_options.check) {
    const StatusCheck check = check_status(file, now, {});
    std::fputs(check.line.c_str(), stdout);
    return check.code;
  }
  const StatusRunning running = running_or_unknown(config.destination);
  if (config.output.json) {
    std::fputs(to_json(file.status, running).c_str(), stdout);
    return 0;
  }
  std::fputs(with_painted_word(status_text(file, now, {}), config.output.color).c_str(), stdout);
  if (file.status.paused && file.read != StatusRead::Found) {
    std::printf("paused  %s   [resume: xroad-sync resume]\n",
                pause_words(*file.status.paused).c_str());
  }
  if (running.process) std::printf("notice  %s\n", running_words(running).c_str());
  if (has_unfinished_commit(config.destination)) {
    std::printf(
        "an unfinished commit is in %s/%s: a run is at work, or the next one completes it: "
        "xroad-sync\n",
        escape(config.destination).c_str(), journal_path().c_str());
  }
  return 0;
}

}  // namespace xs::cli
