// SPDX-License-Identifier: MIT
#include "cli/reporter.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "base/error.h"
#include "base/text.h"
#include "cli/paint.h"
#include "cli/pause.h"
#include "cli/use_config.h"
#include "protocol/preamble.h"
#include "sync/hash.h"
#include "sync/report/metrics.h"
#include "sync/xroad/guard.h"

namespace xs::cli {
namespace {

constexpr int kChangedExit = 100;  // --detailed-exitcode

void to_stdout(std::string_view bytes) { std::fwrite(bytes.data(), 1, bytes.size(), stdout); }

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// Whether a file that cannot be written is worth a word: one that was configured always is, a
// default only where the package has made its directory for us.
bool is_wanted(const Config& config, const std::string& file) {
  for (const EffectiveValue& value : config.values) {
    if (value.text == file && value.origin == "built-in") {
      const std::string dir = file.substr(0, file.rfind('/'));
      return ::access(dir.c_str(), W_OK) == 0;
    }
  }
  return true;
}

// Runs `write`, whose failure is told and forgotten.
template <class Write>
void try_to(const char* what, Write&& write) {
  try {
    write();
  } catch (const Error& error) {
    spdlog::warn("{}: {}", what, error.text());
  }
}

std::optional<ItemFormat> output_format(const Config& config, const ItemStyle& style) {
  const OutputConfig& output = config.output;
  if (output.json) return std::nullopt;
  if (!output.out_format.empty()) return ItemFormat(output.out_format, style);
  if (output.itemize != 0) return ItemFormat(ItemFormat::kItemized, style);
  if (output.verbosity != 0) return ItemFormat(ItemFormat::kPlain, style);
  return std::nullopt;
}

// A token that comes with a node's first sync has nobody logged in yet.
bool is_update(const std::vector<Change>& changes) {
  return std::none_of(changes.begin(), changes.end(), [](const Change& change) {
    return change.path.ends_with("/.softtoken.p12") && change.created;
  });
}

StatusRun run_of(Duration elapsed, const RunStats& stats, std::size_t problems) {
  StatusRun run;
  run.at = std::time(nullptr);
  run.duration_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count());
  run.counts = {stats.files.total(),
                stats.created.total() + stats.transferred,
                stats.deleted.total(),
                problems,
                stats.sent,
                stats.received,
                stats.literal,
                stats.matched()};
  return run;
}

}  // namespace

Reporter::Reporter(const Config& config, std::uint64_t run_id, std::string source)
    : config_(config),
      source_(std::move(source)),
      style_{!config.choose_compare && config.options.compare == Compare::Content,
             config.options.keep.has(Keep::Times)},
      log_format_(
          config.log.format.empty() ? ItemFormat::kItemized : std::string_view(config.log.format),
          style_),
      out_format_(output_format(config, style_)) {
  if (config.output.json) events_.emplace(to_stdout, run_id);
  if (config.log.journal) {
    journal_.emplace(LogConfig{}.journal_socket, "xroad-sync", run_id, config.primary.host);
  }
}

ItemContext Reporter::context() const {
  ItemContext context;
  context.host = config_.primary.host;
  return context;
}

void Reporter::started() {
  if (events_) {
    events_->run_start("xroad-sync " XS_VERSION, source_, config_.destination, config_.dry_run);
  }
}

void Reporter::recovered(const std::vector<ChangeDetail>& details, const HookReport& hooks) {
  recovered_ = true;
  hook_failures_ = hooks.failures;
  notice(JournalEvent::Recovered, "recovered",
         "the commit of an earlier run, which was cut short, was completed first");
  std::vector<Change> changes;
  changes.reserve(details.size());
  for (const ChangeDetail& detail : details) changes.push_back(detail.change);
  const std::string token = config_.preset->roles ? token_notice(changes) : std::string();
  if (!token.empty()) notice(JournalEvent::PinChanged, "pin-changed", token);
  RunReport report;
  report.details = details;
  report.context = context();
  if (!events_ && out_format_) {
    OutputStyle style;
    style.items = &*out_format_;
    to_stdout(output_of(report, style));
  }
  report.notices = unlogged();
  write_log([&](const RunLog& log) { return log.items_text(report); });
  logged_ = notices_.size();
  for (const ChangeDetail& detail : details) {
    if (events_) events_->file(detail, style_);
    if (journal_) journal_->file(detail, style_);
  }
  tell_hooks(hooks);
  if (token.empty() || !is_update(changes)) return;
  remember([](Status before) {
    before.pin_changed = std::time(nullptr);
    return before;
  });
}

void Reporter::tell_hooks(const HookReport& hooks) {
  for (const std::string& name : hooks.ran)
    if (events_) events_->hook(name, 0);
  for (const std::string& sentence : hooks.failures) {
    if (events_) events_->warning(sentence);
    if (journal_) journal_->tell(JournalEvent::HookFailed, sentence);
  }
}

void Reporter::paused(const StatusPause& pause, const std::vector<std::string>& failures) {
  const std::string words = "paused " + pause_words(pause);
  if (config_.pause.fail_if_paused) exit_ = xs::exit_code(Fault::Paused);
  tell_notices();
  if (const auto error = failed_actions({}, failures)) {
    exit_ = xs::exit_code(error->fault());
    say(*error);
  }
  if (events_) {
    events_->notice("paused", words);
  } else if (!config_.output.quiet) {
    std::printf("%s; nothing was done. Resume with: xroad-sync resume\n", words.c_str());
  }
  if (journal_) journal_->tell(JournalEvent::Paused, words);
  remember([&](Status before) { return after_pause(std::move(before), run_of({}, {}, 0), pause); });
  if (events_) events_->run_end({"paused", exit_, recovered_, {}, 0, 0});
}

void Reporter::notice(JournalEvent event, std::string_view code, const std::string& sentence) {
  notices_.push_back(sentence);
  if (events_) events_->notice(code, sentence);
  if (journal_) journal_->tell(event, sentence);
}

RunReport Reporter::report_of(const Outcome& outcome) const {
  RunReport report;
  report.details = outcome.details;
  report.problems = outcome.result.problems;
  report.stayed = outcome.result.stayed;
  report.notices = unlogged();
  report.stats = outcome.stats;
  report.context = context();
  return report;
}

std::optional<Error> Reporter::failed_actions(const HookReport& hooks,
                                              const std::vector<std::string>& failures) const {
  std::string failed;
  for (const auto* sentences : {&failures, &hook_failures_, &hooks.failures}) {
    for (const std::string& sentence : *sentences)
      failed += (failed.empty() ? "" : "; ") + sentence;
  }
  if (failed.empty()) return std::nullopt;
  return Error(Fault::Action, "the sync is complete, but what follows it failed: " + failed);
}

// What an exit code must tell although the tree is new.
std::optional<Error> Reporter::verdict(const Outcome& outcome, const HookReport& hooks,
                                       const std::vector<std::string>& failures) const {
  if (auto error = failed_actions(hooks, failures)) return error;
  const std::vector<Problem>& problems = outcome.result.problems;
  if (problems.empty()) return std::nullopt;
  const std::string more =
      problems.size() == 1 ? "" : " and " + std::to_string(problems.size() - 1) + " more";
  return Error(Fault::Partial, quote(problems.front().path) + more + " could not be synced and " +
                                   "stay as they were (" + problems.front().what +
                                   "); all else is as at the primary");
}

void Reporter::done(const Outcome& outcome, const HookReport& hooks,
                    const std::vector<std::string>& failures) {
  const bool told = config_.preset->roles && !config_.dry_run;
  const std::string token = told ? token_notice(outcome.result.changes) : std::string();
  if (!token.empty()) notice(JournalEvent::PinChanged, "pin-changed", token);
  const std::vector<std::string>& notes = outcome.result.notes;
  notices_.insert(notices_.end(), notes.begin(), notes.end());
  const std::optional<Error> error = verdict(outcome, hooks, failures);
  if (error) exit_ = xs::exit_code(error->fault());
  const bool changed = outcome.result.changed || recovered_;
  if (!error && changed && config_.output.detailed_exitcode) exit_ = kChangedExit;
  const RunReport report = report_of(outcome);
  print(outcome, report);
  events_of(outcome);
  if (!config_.dry_run) log(report, error);
  tell_hooks(hooks);
  tell_journal(outcome);
  if (error) say(*error);
  if (!config_.dry_run) {
    remember([&](Status before) {
      const StatusRun run =
          run_of(outcome.stats.elapsed, outcome.stats, outcome.result.problems.size());
      const std::optional<StatusRun> last = before.last_success;
      Status now = after_success(std::move(before), run, to_hex(outcome.result.generation),
                                 outcome.result.kept);
      if (!token.empty() && is_update(outcome.result.changes)) now.pin_changed = run.at;
      if (error) {
        now = after_failure(std::move(now), run, *error);
        // Part of the source is missing here; after a hook that failed nothing is.
        if (error->fault() == Fault::Partial) now.last_success = last;
      }
      return now;
    });
  }
  end(changed, outcome.stats.elapsed, outcome.stats.sent, outcome.stats.received);
}

void Reporter::rolled_back(const std::string& sentence, std::uint64_t kept) {
  write_log([&](const RunLog& log) { return log.note_text(sentence); });
  if (journal_) journal_->tell(JournalEvent::RolledBack, sentence);
  const std::string& file = config_.report.status_file;
  const StatusFile before = file.empty() ? StatusFile{} : read_status(file);
  if (before.read != StatusRead::Found) return;  // the next run will tell
  try_to("the status", [&] { write_status(file, after_rollback(before.status, kept)); });
}

void Reporter::failed(const Error& error, Duration elapsed, std::uint64_t sent,
                      std::uint64_t received) {
  exit_ = xs::exit_code(error.fault());
  tell_notices();
  for (const std::string& sentence : hook_failures_) spdlog::warn("{}", sentence);
  say(error);
  if (events_) events_->error(error);
  if (journal_) journal_->failed(error);
  if (!config_.dry_run) {
    write_log([&](const RunLog& log) {
      std::string text;
      for (const std::string& notice : unlogged()) text += log.note_text(notice);
      return text + log.failure_text(error);
    });
    RunStats stats;
    stats.sent = sent;
    stats.received = received;
    // The run that holds the lock will tell how this node is.
    if (error.fault() != Fault::Locked) {
      remember([&](Status before) {
        return after_failure(std::move(before), run_of(elapsed, stats, 0), error);
      });
    }
  }
  end(recovered_, elapsed, sent, received);
}

void Reporter::say(const Error& error) const {
  std::fflush(stdout);
  const std::string line = failure_line(error, "xroad-sync");
  std::fprintf(stderr, "%s\n",
               painted(line, Paint::Red, config_.output.color, STDERR_FILENO).c_str());
}

void Reporter::print(const Outcome&, const RunReport& report) {
  if (events_) return;
  OutputStyle style;
  style.verbose = config_.output.verbosity != 0 && !config_.output.quiet;
  style.stats = config_.output.stats;
  style.human = config_.output.human;
  style.items = out_format_ ? &*out_format_ : nullptr;
  RunReport told = report;
  told.notices.clear();  // they are no part of the result
  to_stdout(output_of(std::move(told), style));
  tell_notices();
}

void Reporter::tell_notices() const {
  if (events_ || config_.output.quiet) return;
  std::fflush(stdout);
  for (const std::string& notice : notices_) std::fprintf(stderr, "%s\n", notice.c_str());
}

void Reporter::events_of(const Outcome& outcome) {
  if (!events_) return;
  events_->plan(outcome.stats.transferred, outcome.stats.transferred_size,
                outcome.stats.deleted.total());
  for (const ChangeDetail& detail : outcome.details) events_->file(detail, style_);
  for (const Problem& problem : outcome.result.problems) {
    events_->warning(problem.what, problem.path);
  }
  if (outcome.result.changed && !config_.dry_run) {
    events_->commit(outcome.result.generation, outcome.result.window);
  }
}

void Reporter::log(const RunReport& report, const std::optional<Error>& error) {
  write_log([&](const RunLog& log) {
    std::string text = log.text(report, config_.output.verbosity != 0);
    if (error) text += log.failure_text(*error);
    return text;
  });
}

void Reporter::write_log(const std::function<std::string(const RunLog&)>& text) {
  if (config_.log.file.empty()) return;
  try_to("the log", [&] {
    const RunLog log(config_.log.file, log_format_);
    log.write(text(log));
  });
}

void Reporter::tell_journal(const Outcome& outcome) {
  if (!journal_ || config_.dry_run) return;
  for (const ChangeDetail& detail : outcome.details) journal_->file(detail, style_);
  for (const Problem& problem : outcome.result.problems) {
    journal_->tell(JournalEvent::Left, problem.what, problem.path);
  }
  journal_->synced(outcome.stats, to_hex(outcome.result.generation), outcome.result.changed);
}

void Reporter::remember(const std::function<Status(Status)>& change) {
  const std::string& file = config_.report.status_file;
  Status status;
  if (!file.empty()) status = read_status(file).status;
  status.version = XS_VERSION;
  status.node = host_name();
  status.primary = endpoint(config_).shown();
  status = change(std::move(status));
  if (!file.empty() && is_wanted(config_, file)) {
    try_to("the status", [&] { write_status(file, status); });
  }
  if (!config_.report.metrics_file.empty()) {
    try_to("the metrics",
           [&] { write_metrics(config_.report.metrics_file, status, kMagic.back() - '0'); });
  }
}

void Reporter::end(bool changed, Duration elapsed, std::uint64_t sent, std::uint64_t received) {
  const bool fine = exit_ == 0 || exit_ == kChangedExit;
  if (events_) events_->run_end({fine ? "ok" : "failed", exit_, changed, elapsed, sent, received});
}

}  // namespace xs::cli
