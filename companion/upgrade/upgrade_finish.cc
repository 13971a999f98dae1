// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "companion/replication/control.h"
#include "companion/upgrade/upgrade.h"

namespace xs {

void Upgrade::add_replay_on(WorkPlan& plan) {
  if (!state_.parts.replay) return;
  const auto runs = replay_runs();
  if (!runs) {
    plan.note(
        "The database of this node is a primary now: it has nothing to resume, and nobody to catch "
        "up with.");
    return;
  }
  if (state_.replay_before && !*runs) {
    plan.note(
        "Replay stays paused, as it was before the upgrade: xroad-companion replication resume");
    return;
  }
  add(
      plan, "resume replay", "select pg_wal_replay_resume(), until it goes on",
      [this] { return replay_runs() == true; },
      [this] { resume_replay(*database(), clock_, deadline()); });
  add(plan, "catch up with the primary",
      "ask it for its position, and wait until that is replayed here, with the receiver streaming",
      nullptr, [this] {
        WaitTimes times;
        times.deadline = deadline();
        wait_for_primary(*database(), access_, clock_, times, times_.tell);
      });
}

void Upgrade::add_sync_on(WorkPlan& plan) {
  if (!state_.parts.sync) return;
  const auto pause = sync().pause_now();
  if (settings_.role == "primary" || settings_.role == "standalone") {
    plan.note("This node is a " + settings_.role + " now (" + settings_.role_where +
              "): no sync was made" +
              (pause ? ", and it stays paused, " + pause->words() +
                           "; when the node is a secondary again: xroad-sync resume"
                     : "."));
    return;
  }
  const auto theirs = [this](const std::optional<SyncPause>& now) -> std::string {
    if (!now || is_ours(now)) return "";
    return "the sync stays paused, " + now->words() +
           ", and no sync was made: xroad-sync resume, then xroad-sync";
  };
  if (const std::string why = theirs(pause); !why.empty()) {
    plan.note("T" + why.substr(1));
    return;
  }
  add(
      plan, "resume xroad-sync", sync().text(SyncProgram::kResume),
      [this] { return !is_ours(sync().pause_now()); },
      [this] {
        sync().resume();
        if (!is_ours(sync().pause_now())) return;
        throw Error(Fault::Action, sync().text(SyncProgram::kResume) +
                                       " ended well, and the pause is still there");
      });
  add(
      plan, "sync now", sync().text({"--fail-if-paused"}), nullptr,
      [this] { sync().run_now(deadline()); },
      [this, theirs] { return theirs(sync().pause_now()); });
}

void Upgrade::add_verdict(WorkPlan& plan) {
  add(plan, "every check passes",
      "asked at the companion, apart from the maintenance mode, each check anew", nullptr,
      [this] { wait_for_checks(companion_, wait()); });
}

// Only what the upgrade has switched on is switched off.
void Upgrade::add_maintenance_off(WorkPlan& plan) {
  UpgradeWait look = wait();
  look.end = clock_.now() + kUpgradeLook;
  MaintenanceState now;
  try {
    now = patient_maintenance(companion_, look);
  } catch (const Error& error) {
    // Replay and the sync need not wait for it; the steps behind them ask again, and judge it then.
    if (!may_come_back(error)) throw;
  }
  if (now.on && !is_ours(now)) {
    plan.note("This node stays in maintenance mode, which is not the upgrade's (" +
              maintenance_text(now, wall_now()) + "): xroad-companion maintenance off");
    return;
  }
  const MaintenanceState wanted = wanted_after();
  if (state_.parts.maintenance) {
    add(
        plan, wanted.on ? "maintenance mode as it was before" : "maintenance mode off",
        maintenance_text(wanted, wall_now()),
        [this, wanted] {
          const MaintenanceState mode = companion_.report().maintenance;
          return mode.on == wanted.on && (!mode.on || mode.reason == wanted.reason);
        },
        [this, wanted] { leave_maintenance(wanted); });
  }
  if (wanted.on) {
    plan.note("This node stays in maintenance mode, as it was before the upgrade: " +
              maintenance_text(wanted, wall_now()));
    return;
  }
  add(plan, "the health port answers 200", "asked until it does", nullptr,
      [this] { wait_for_health(companion_, wait(), 200); });
}

void Upgrade::leave_maintenance(const MaintenanceState& wanted) {
  const MaintenanceState now = companion_.report().maintenance;
  if (now.on && !is_ours(now)) {
    throw Error(Fault::Refused, "somebody has switched maintenance mode on meanwhile (" +
                                    maintenance_text(now, wall_now()) + "), and it stays on");
  }
  state_.phase = UpgradePhase::Leaving;
  save();
  companion_.set_maintenance(wanted);
}

std::optional<WorkPlan> Upgrade::plan_finish() {
  loaded_ = load_upgrade(settings_.upgrade.state_file);
  if (!loaded_) return std::nullopt;
  state_ = *loaded_;
  running_ = UpgradePhase::Finishing;
  WorkPlan plan(kUpgradeFinish);
  add_replay_on(plan);
  add_sync_on(plan);
  add_verdict(plan);
  add_maintenance_off(plan);
  return plan;
}

}  // namespace xs
