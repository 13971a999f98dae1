// SPDX-License-Identifier: MIT
// `xroad-companion replication pause`, `resume` and `wait`.
#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "base/text.h"
#include "cli/companion_replication_verbs.h"
#include "companion/replication/control.h"
#include "companion/replication/show.h"

namespace xs::cli {
namespace {

struct Options {
  int timeout = 30;
  int patience = 15;  // of wait
};

void print(const std::string& text) { std::fputs((text + "\n").c_str(), stdout); }

Instant deadline_of(const ReplicationCall& call, const Options& options) {
  return call.clock.now() + std::chrono::seconds(options.timeout);
}

std::string at(const ReplayProgress& now) {
  return now.replayed ? " at " + lsn_text(*now.replayed) : std::string();
}

int pause(const ReplicationCall& call, ReplicationAccess& access, const Options& options) {
  settings_for(call, access);
  const Instant deadline = deadline_of(call, options);
  const auto db = open_local(access, call.clock, deadline);
  const ReplayChange done = pause_replay(*db, call.clock, deadline);
  print(std::string(done.changed ? "replay is paused" : "replay was paused already") +
        at(done.now) +
        (done.seen ? ""
                   : " (asked for: PostgreSQL before 14 does not tell more, and nothing is left to "
                     "replay)"));
  // The pause stands, whatever these questions meet.
  const Instant soon = call.clock.now() + std::chrono::seconds(3);
  try {
    for (const std::string& cost : pause_costs(*db, access, call.clock, soon)) {
      std::fprintf(stderr, "xroad-companion: warning: %s\n", cost.c_str());
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "xroad-companion: warning: what the pause costs cannot be seen: %s\n",
                 error.what());
  }
  return 0;
}

int resume(const ReplicationCall& call, ReplicationAccess& access, const Options& options) {
  settings_for(call, access);
  const Instant deadline = deadline_of(call, options);
  const auto db = open_local(access, call.clock, deadline);
  const ReplayChange done = resume_replay(*db, call.clock, deadline);
  print(std::string(done.changed ? "replay goes on" : "replay was not paused") + at(done.now));
  return 0;
}

int wait(const ReplicationCall& call, ReplicationAccess& access, const Options& options) {
  settings_for(call, access);
  WaitTimes times;
  times.deadline = deadline_of(call, options);
  times.patience = std::chrono::seconds(options.patience);
  const auto db = open_local(access, call.clock, times.deadline);
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const CaughtUp done =
      wait_for_primary(*db, access, call.clock, times, [terminal](const std::string& line) {
        if (terminal) std::fprintf(stderr, "%s\n", line.c_str());
      });
  print("replayed up to " + lsn_text(done.target) + ", the position of " + done.primary);
  return 0;
}

using Run = int (*)(const ReplicationCall&, ReplicationAccess&, const Options&);

struct Added {
  ReplicationVerb verb;
  std::shared_ptr<Options> options;
};

Added add(CLI::App& group, const char* name, const char* help, int timeout, Run run) {
  CLI::App* app = group.add_subcommand(name, help);
  const auto options = std::make_shared<Options>();
  options->timeout = timeout;
  app->add_option("--timeout", options->timeout, "Seconds for it.")
      ->check(CLI::Range(1, 7 * 86'400))
      ->capture_default_str();
  const auto access = add_access_options(*app);
  return {{app, [=](const ReplicationCall& call) { return run(call, *access, *options); }},
          options};
}

}  // namespace

ReplicationVerb add_replication_pause(CLI::App& group) {
  return add(group, "pause", "Stop the replay of this standby; ends when it stands still.", 30,
             &pause)
      .verb;
}

ReplicationVerb add_replication_resume(CLI::App& group) {
  return add(group, "resume", "Let the replay of this standby go on.", 30, &resume).verb;
}

ReplicationVerb add_replication_wait(CLI::App& group) {
  const Added added =
      add(group, "wait",
          "Wait until this standby has replayed what the primary has now. Exit code: 0 it has, "
          "10 or 35 the primary is not reached, 11 or 12 this node's database is not, 30 the time "
          "is over, 42 a login is refused, 43 the receiver does not stream from it, 45 replay is "
          "paused, 46 this is no standby.",
          300, &wait);
  added.verb.app
      ->add_option("--patience", added.options->patience,
                   "Seconds for which the receiver may not stream.")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  return added.verb;
}

}  // namespace xs::cli
