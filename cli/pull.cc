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

HookReport hooks_after(const Config& config, std::vector<std::string> changed,
                       std::string generation, Clock& clock) {
  if (config.dry_run || config.wake.hooks.empty()) return {};
  HookRequest request;
  request.directory = config.wake.hooks;
  request.limit = config.wake.hooks_timeout;
  request.root = config.destination;
  request.generation = std::move(generation);
  request.changed = std::move(changed);
  return run_hooks(request, clock);
}

HookReport hooks_after(const Config& config, const PullResult& result, Clock& clock) {
  if (!result.changed) return {};
  return hooks_after(config, changed_paths(result.changes), to_hex(result.generation), clock);
}

// False: a pause holds, and nothing more is to be done.
bool may_run(const Config& config, const Session& session, Reporter& reporter) {
  const auto pause = find_pause(config.pause, std::time(nullptr));
  if (!pause) return true;
  if (!config.pause.ignore && !config.dry_run) {
    reporter.paused(*pause, session.failures());
    return false;
  }
  if (config.pause.ignore) {
    reporter.notice(JournalEvent::Forced, "forced",
                    "syncing in spite of the pause " + pause_words(*pause));
  }
  return true;
}

// What the run that was cut short did not come to. Which generation it had is not known here.
void tell_recovery(const Config& config, Clock& clock, Session& session, Reporter& reporter) {
  const auto details = session.take_recovered();
  if (!details) return;
  std::vector<std::string> paths;
  for (const ChangeDetail& detail : *details) paths.push_back(detail.change.path);
  reporter.recovered(*details, hooks_after(config, std::move(paths), "", clock));
}

bool is_secondary(const Config& config) {
  try {
    check_node(config);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Before the question whether we are paused: a pause must not hold a tree between two states. A
// node that is no secondary any more is left alone: its tree may be newer than the commit.
void complete_earlier(const Config& config, Clock& clock, Session& session, Reporter& reporter) {
  if (config.dry_run || !is_secondary(config)) return;
  try {
    session.complete_earlier();
  } catch (const Error& error) {
    if (error.fault() != Fault::Locked) throw;  // whoever is at work completes it
  }
  tell_recovery(config, clock, session, reporter);
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
    tell_recovery(config, clock, session,
                  reporter);  // the tree is another one than before, although we failed
    throw;
  }
  if (line) line->finish();
  tell_recovery(config, clock, session, reporter);
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
  std::optional<StatusPause> meanwhile;
  // A pause that came while the run was at work holds as well: what comes next on this node must
  // not find new configuration after it was told that there will be none.
  session.request().last_word = [&] {
    if (config.pause.ignore) return;
    meanwhile = find_pause(config.pause, std::time(nullptr));
    if (meanwhile) throw Error(Fault::Paused, "paused " + pause_words(*meanwhile));
  };
  try {
    reporter.started();
    complete_earlier(config, clock, session, reporter);
    if (!may_run(config, session, reporter)) return reporter.exit_code();
    check_node(config);
    sync(config, clock, session, reporter);
  } catch (const Error& error) {
    if (meanwhile && error.fault() == Fault::Paused) {
      reporter.paused(*meanwhile, session.failures());
    } else {
      reporter.failed(error, session.elapsed(), session.sent(), session.received());
    }
  }
  return reporter.exit_code();
}

}  // namespace xs::cli
