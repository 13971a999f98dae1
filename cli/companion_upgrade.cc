// SPDX-License-Identifier: MIT
#include "cli/companion_upgrade.h"

#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "companion/upgrade/upgrade.h"
#include "companion/upgrade/upgrade_text.h"

namespace xs::cli {
namespace {

struct Options {
  UpgradeOrder order;
  int timeout = 0;
  bool dry_run = false, json = false;
  bool keep_serving = false, without_sync = false, without_replay = false;
};

// At once: whoever watches sees the step that is being waited for.
void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

UpgradeTimes times_of(const Options& options) {
  UpgradeTimes times;
  times.step = std::chrono::seconds(options.timeout);
  if (::isatty(STDERR_FILENO) == 1) {
    times.tell = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  }
  return times;
}

// One verb at a time; a dry run changes nothing, not even the lock.
std::optional<UpgradeLock> lock_for(const Options& options, const NodeSettings& settings) {
  if (options.dry_run) return std::nullopt;
  return UpgradeLock(settings.upgrade.state_file);
}

int prepare(const ReplicationCall& call, ReplicationAccess& access, const Options& options) {
  const NodeSettings settings = settings_for(call, access);
  const auto lock = lock_for(options, settings);
  Upgrade upgrade(settings, access, call.clock, times_of(options));
  UpgradeOrder order = options.order;
  order.parts = {!options.keep_serving, !options.without_sync, !options.without_replay};
  const WorkPlan plan = upgrade.plan_prepare(order);
  if (options.dry_run) {
    plan.describe(&say);
    return 0;
  }
  plan.run(&say);
  upgrade.prepared();
  return 0;
}

int finish(const ReplicationCall& call, ReplicationAccess& access, const Options& options) {
  const NodeSettings settings = settings_for(call, access);
  const auto lock = lock_for(options, settings);
  Upgrade upgrade(settings, access, call.clock, times_of(options));
  try {
    const auto plan = upgrade.plan_finish();
    if (!plan) {
      say("no upgrade is going on: there is nothing to finish\n");
      return 0;
    }
    if (options.dry_run) {
      plan->describe(&say);
      return 0;
    }
    plan->run(&say);
  } catch (const Error& error) {
    if (!upgrade.state().keeps_out() || upgrade.state().since == 0) throw;
    throw Error(error.fault(), error.text() + "; this node stays in maintenance mode",
                error.code());
  }
  upgrade.finished();
  return 0;
}

int status(const ReplicationCall& call, ReplicationAccess& access, const Options& options) {
  const NodeSettings settings = settings_for(call, access);
  const UpgradeView view = view_upgrade(settings, access, call.clock);
  say(options.json ? upgrade_view_json(view) : upgrade_text(view, wall_now()));
  return 0;
}

using Run = int (*)(const ReplicationCall&, ReplicationAccess&, const Options&);

struct Verb {
  CLI::App* app;
  std::shared_ptr<Options> options;
  ReplicationVerb runs(Run run) const {
    const auto access = add_access_options(*app);
    return {app, [=, options = options](const ReplicationCall& call) {
              return run(call, *access, *options);
            }};
  }
};

Verb add(CLI::App& group, const char* name, const char* help) {
  return {group.add_subcommand(name, help), std::make_shared<Options>()};
}

void add_steps(const Verb& verb, int timeout) {
  verb.options->timeout = timeout;
  verb.app->add_option("--timeout", verb.options->timeout, "Seconds for each step that waits.")
      ->check(CLI::Range(1, 7 * 86'400))
      ->capture_default_str();
  verb.app->add_flag("--dry-run", verb.options->dry_run, "Print the plan and change nothing.");
}

ReplicationVerb add_prepare(CLI::App& group) {
  const Verb verb =
      add(group, "prepare",
          "Before the packages of this node are upgraded: maintenance mode, then pause the sync, "
          "wait for one that is at work, and pause replay, each verified. On a primary maintenance "
          "mode alone. Run it again to go on.");
  Options& options = *verb.options;
  verb.app->add_option("--reason", options.order.reason, "Shown wherever the upgrade is.");
  verb.app->add_flag("--keep-serving", options.keep_serving,
                     "No maintenance mode: only pause, before the primary is upgraded.");
  verb.app->add_flag("--without-sync", options.without_sync, "Leave xroad-sync alone.");
  verb.app->add_flag("--without-replay", options.without_replay, "Leave the database alone.");
  add_steps(verb, 120);
  return verb.runs(&prepare);
}

ReplicationVerb add_finish(CLI::App& group) {
  const Verb verb =
      add(group, "finish",
          "Afterwards, or to go back: resume replay, catch up with the primary, resume the sync, "
          "sync now, and leave maintenance mode when every check passes. Run it again to go on.");
  add_steps(verb, 300);
  return verb.runs(&finish);
}

ReplicationVerb add_status(CLI::App& group) {
  const Verb verb = add(group, "status", "How far an upgrade of this node is, and what is paused.");
  verb.app->add_flag("--json", verb.options->json, "One JSON object.");
  return verb.runs(&status);
}

}  // namespace

UpgradeVerbs::UpgradeVerbs(CLI::App& app)
    : group_(app.add_subcommand("upgrade", "The rolling upgrade of a cluster, on this node.")) {
  group_->require_subcommand(1);
  verbs_ = {add_prepare(*group_), add_finish(*group_), add_status(*group_)};
}

int UpgradeVerbs::run(const ReplicationCall& call) const {
  for (const ReplicationVerb& verb : verbs_) {
    if (verb.app->parsed()) return verb.run(call);
  }
  throw Error(Fault::Usage, "upgrade needs a verb");
}

}  // namespace xs::cli
