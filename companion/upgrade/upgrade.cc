// SPDX-License-Identifier: MIT
#include "companion/upgrade/upgrade.h"

#include "base/error.h"
#include "companion/replication/connection.h"
#include "companion/replication/status.h"

namespace xs {

Upgrade::Upgrade(const NodeSettings& settings, ReplicationAccess access, Clock& clock,
                 UpgradeTimes times)
    : settings_(settings),
      access_(std::move(access)),
      clock_(clock),
      times_(std::move(times)),
      companion_(settings, clock) {}

// ---- what is asked

std::unique_ptr<Db> Upgrade::database() const {
  return open_local(access_, clock_, clock_.now() + kUpgradeLook);
}

std::optional<bool> Upgrade::replay_runs() const {
  const auto db = database();
  try {
    return read_progress(*db, clock_.now() + kUpgradeLook).pause == "not paused";
  } catch (const Error& error) {
    if (error.fault() != Fault::Role) throw;
    return std::nullopt;
  }
}

bool Upgrade::is_secondary() const { return settings_.role == "secondary"; }

bool Upgrade::is_ours(const MaintenanceState& mode) const {
  return mode.on && is_reason_of(state_, mode.reason);
}

bool Upgrade::is_ours(const std::optional<SyncPause>& pause) const {
  return pause && is_reason_of(state_, pause->reason);
}

const SyncProgram& Upgrade::sync() {
  if (!sync_) sync_.emplace(settings_.upgrade, clock_);
  return *sync_;
}

MaintenanceState Upgrade::kept_out() const {
  MaintenanceState next;
  next.on = true;
  next.reason = upgrade_reason(state_);
  return next;
}

MaintenanceState Upgrade::wanted_after() const {
  const MaintenanceState& before = state_.maintenance_before;
  const bool again = before.on && (!before.until || *before.until > wall_now());
  return again ? before : MaintenanceState();
}

// ---- the state

void Upgrade::save() {
  state_.changed = wall_now();
  save_upgrade(settings_.upgrade.state_file, state_);
  loaded_ = state_;
}

void Upgrade::mark(const std::string& step) {
  // What has been verified once needs no maintenance mode any more.
  if (state_.phase != UpgradePhase::Leaving || running_ == UpgradePhase::Preparing) {
    state_.phase = running_;
  }
  state_.step = step;
  save();
}

void Upgrade::prepared() {
  if (loaded_ && loaded_->phase == UpgradePhase::Prepared) return;
  state_.phase = UpgradePhase::Prepared;
  state_.step.clear();
  save();
}

void Upgrade::finished() { remove_upgrade(settings_.upgrade.state_file); }

void Upgrade::add(WorkPlan& plan, const std::string& what, const std::string& detail, Question done,
                  Action act, std::function<std::string()> not_yet) {
  WorkStep step;
  step.what = what;
  step.detail = [detail] { return detail; };
  step.done = std::move(done);
  step.act = [this, what, act = std::move(act)] {
    mark(what);
    act();
  };
  step.not_yet = std::move(not_yet);
  plan.add(std::move(step));
}

}  // namespace xs
