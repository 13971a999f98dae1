// SPDX-License-Identifier: MIT
// `xroad-companion replication status`.
#include <cstdio>

#include "base/error.h"
#include "base/text.h"
#include "cli/companion_replication.h"
#include "cli/companion_replication_verbs.h"
#include "companion/replication/connection.h"
#include "companion/replication/control.h"
#include "companion/replication/show.h"
#include "companion/tcp.h"

namespace xs::cli {
namespace {

struct Options {
  bool json = false, check = false, alone = false;
  std::vector<std::string> warn, crit;
  unsigned standbys = 0;
  int timeout = 10;
};

ReplicationLimits limits_of(const Options& options, const ReplicationSettings& settings) {
  ReplicationLimits limits;
  limits.warn = {settings.max_lag_bytes, static_cast<double>(settings.max_lag.count())};
  limits.silence = static_cast<double>(settings.max_silence.count());
  limits.standbys = options.standbys;
  for (const std::string& text : options.warn) add_limit(limits.warn, text);
  for (const std::string& text : options.crit) add_limit(limits.crit, text);
  return limits;
}

PrimaryAnswer ask_primary(Db& db, const ReplicationAccess& access, Clock& clock, Instant deadline) {
  PrimaryAnswer answer;
  try {
    Primary primary(find_primary(db, access, deadline), clock, deadline);
    answer.where = primary.where();
    answer.position = primary.identify(deadline).flushed;
  } catch (const Error& error) {
    answer.trouble = error.text();
  }
  return answer;
}

int show(const ReplicationCall& call, ReplicationAccess& access, const Options& options) {
  const NodeSettings settings = settings_for(call, access);
  const ReplicationLimits limits = limits_of(options, settings.replication);
  const Instant deadline = call.clock.now() + std::chrono::seconds(options.timeout);
  const auto db = open_local(access, call.clock, deadline);
  const std::string user = local_target(access).user;
  // A judgement is worth a moment; who looks by hand sees what is.
  ReplicationStatus status = options.check ? read_settled(*db, user, call.clock, deadline)
                                           : read_replication(*db, user, deadline);
  if (status.standby && !options.alone) {
    // A primary that hangs must not take the answer with it.
    const Instant share = share_of(call.clock.now(), deadline, 2);
    status.primary = ask_primary(*db, access, call.clock, share);
  }
  const ReplicationVerdict verdict = judge(status, limits);
  const std::string text = options.check  ? verdict.line(status, limits)
                           : options.json ? replication_json(status, verdict)
                                          : replication_text(status, verdict);
  std::fputs(text.c_str(), stdout);
  return options.check ? static_cast<int>(verdict.health) : 0;
}

}  // namespace

ReplicationVerb add_replication_status(CLI::App& group) {
  CLI::App* app = group.add_subcommand(
      "status",
      "What this node's database says about its replication. With --check, exit code: 0 fine, 1 "
      "warning, 2 critical, 3 not known.");
  const auto options = std::make_shared<Options>();
  CLI::Option* json = app->add_flag("--json", options->json, "One JSON object.");
  app->add_flag("--check", options->check, "One line for a monitor.")->excludes(json);
  app->add_option("--warn-lag", options->warn,
                  "Warning beyond this size or time, such as 16MB or 60s; both may be given. "
                  "[max-lag-bytes, max-lag of companion.ini]");
  app->add_option("--crit-lag", options->crit, "Critical beyond it. [256MB 600s]");
  app->add_option("--standbys", options->standbys,
                  "Of a primary: fewer standbys than this are critical.");
  app->add_flag("--no-primary", options->alone, "At a standby: do not ask the primary.");
  app->add_option("--timeout", options->timeout, "Seconds for all questions.")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  const auto access = add_access_options(*app);
  return {app, [=](const ReplicationCall& call) {
            if (!options->check) return show(call, *access, *options);
            try {
              return show(call, *access, *options);
            } catch (const Error& error) {
              // A monitor reads one line of stdout.
              std::printf("REPLICATION UNKNOWN - %s\n", error.what());
              return static_cast<int>(Health::Unknown);
            }
          }};
}

}  // namespace xs::cli
