// SPDX-License-Identifier: MIT
// `xroad-sync pull`, the default verb: one run, from the question whether we may to the last line
// of its log.
#include <spdlog/spdlog.h>

#include <ctime>
#include <optional>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/pause.h"
#include "cli/reporter.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "sync/hash.h"
#include "sync/report/progress.h"
#include "sync/xroad/hooks.h"

namespace xs::cli {
namespace {

void to_stderr(std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stderr);
  std::fflush(stderr);
}

HookReport hooks_after(const Config& config, const PullResult& result, Clock& clock) {
  if (!result.changed || config.dry_run || config.wake.hooks.empty()) return {};
  HookRequest request;
  request.directory = config.wake.hooks;
  request.limit = config.wake.hooks_timeout;
  request.root = config.destination;
  request.generation = to_hex(result.generation);
  request.changed = changed_paths(result.changes);
  return run_hooks(request, clock);
}

// False: a pause holds, and nothing more is to be done.
bool may_run(const Config& config, Reporter& reporter) {
  const auto pause = find_pause(config.pause, std::time(nullptr));
  if (!pause) return true;
  if (!config.pause.ignore && !config.dry_run) {
    reporter.paused(*pause);
    return false;
  }
  if (config.pause.ignore) {
    reporter.notice(JournalEvent::Forced, "forced",
                    "syncing in spite of the pause " + pause_words(*pause));
  }
  return true;
}

void tell_recovery(const Session& session, Reporter& reporter) {
  if (!session.recovered()) return;
  reporter.notice(JournalEvent::Recovered, "recovered",
                  "the commit of an earlier run, which was cut short, was completed first");
}

void sync(const Config& config, Clock& clock, Session& session, Reporter& reporter) {
  std::optional<ProgressLine> line;
  const bool asked = config.output.progress || config.output.progress2;
  if (!config.output.json && wants_progress(STDERR_FILENO, asked, config.output.quiet)) {
    line.emplace(clock, to_stderr, config.output.human);
    session.request().progress = [&line](const Progress& progress) { line->update(progress); };
  }
  Outcome outcome;
  try {
    outcome = session.run();
  } catch (const Error&) {
    tell_recovery(session, reporter);  // the tree is another one than before, although we failed
    throw;
  }
  if (line) line->finish();
  tell_recovery(session, reporter);
  reporter.done(outcome, hooks_after(config, outcome.result, clock), session.failures());
}

}  // namespace

int run_pull(const Config& config, Clock& clock) {
  const Interrupt interrupt;
  Session session(config, clock);
  Reporter reporter(config, session.run_id(), session.source());
  if (config.output.verbosity != 0) {
    for (const std::string& note : config.notes) to_stderr(note + "\n");
  }
  try {
    reporter.started();
    if (!may_run(config, reporter)) return reporter.exit_code();
    check_node(config);
    sync(config, clock, session, reporter);
  } catch (const Error& error) {
    reporter.failed(error, session.elapsed(), session.sent(), session.received());
  }
  return reporter.exit_code();
}

}  // namespace xs::cli
