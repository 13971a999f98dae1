// SPDX-License-Identifier: MIT
#include "companion/upgrade/upgrade.h"

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/connection.h"
#include "companion/replication/control.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLook = 10s;  // for one question
constexpr const char* kFinish = "xroad-companion upgrade finish";

// Escaped, and so short that the companion takes it whole with what we add.
std::string short_reason(const std::string& reason) {
  constexpr std::size_t kMost = 130;
  std::string text;
  for (std::size_t limit = 100; limit > 0; limit /= 2) {
    text = excerpt(reason, limit);
    if (text.size() <= kMost) break;
  }
  return text;
}

}  // namespace

Upgrade::Upgrade(const NodeSettings& settings, ReplicationAccess access, Clock& clock,
                 UpgradeTimes times)
    : settings_(settings),
      access_(std::move(access)),
      clock_(clock),
      times_(std::move(times)),
      companion_(settings, clock) {}

// ---- what is asked

std::unique_ptr<Db> Upgrade::database() const {
  return open_local(access_, clock_, clock_.now() + kLook);
}

bool Upgrade::replay_runs() const {
  return read_progress(*database(), clock_.now() + kLook).pause == "not paused";
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

// ---- prepare

void Upgrade::look_at_parts(bool fresh_maintenance, bool fresh_pauses) {
  if (state_.parts.maintenance) {
    const MaintenanceState now = companion_.report().maintenance;
    if (fresh_maintenance) state_.maintenance_before = now;
  }
  if (state_.parts.sync) {
    const auto pause = sync().pause_now();
    if (pause && pause->ends) {
      throw Error(Fault::Paused, "the sync is paused " + pause->words() +
                                     ", and that ends by itself, perhaps during the upgrade: "
                                     "xroad-sync resume, then again");
    }
    if (fresh_pauses) state_.sync_before = pause ? pause->words() : "";
  }
  if (state_.parts.replay) {
    const bool runs = replay_runs();
    if (fresh_pauses) state_.replay_before = !runs;
  }
}

void Upgrade::look_before(UpgradeOrder order) {
  if (settings_.role == "unknown") {
    throw Error(Fault::Role, settings_.role_where +
                                 ": the type of this node is none of master, slave and standalone, "
                                 "so nobody knows what to stop on it");
  }
  if (settings_.role != "secondary") order.parts.sync = order.parts.replay = false;
  loaded_ = load_upgrade(settings_.upgrade.state_file);
  bool fresh_maintenance = true;
  if (loaded_) {
    fresh_maintenance = !loaded_->parts.maintenance;
    state_ = *loaded_;
    // What is stopped stays stopped until finish.
    state_.parts.maintenance = state_.parts.maintenance || order.parts.maintenance;
  } else {
    state_.parts = order.parts;
    state_.role = settings_.role;
    state_.reason = short_reason(order.reason);
    state_.since = wall_now();
  }
  if (state_.parts == UpgradeParts{false, false, false}) {
    throw Error(Fault::Usage,
                "nothing is left that the upgrade would stop on this node, a " + settings_.role);
  }
  look_at_parts(fresh_maintenance, !loaded_);
}

void Upgrade::add(WorkPlan& plan, const std::string& what, const std::string& detail, Question done,
                  Action act) {
  WorkStep step;
  step.what = what;
  step.detail = [detail] { return detail; };
  step.done = std::move(done);
  step.act = [this, what, act = std::move(act)] {
    mark(what);
    act();
  };
  plan.add(std::move(step));
}

void Upgrade::add_maintenance_on(WorkPlan& plan) {
  if (!state_.parts.maintenance) return;
  add(
      plan, "maintenance mode on",
      "until finish, also over restarts of the companion; reason: " + upgrade_reason(state_),
      [this] {
        const MaintenanceState now = companion_.report().maintenance;
        return now.on && !now.until && is_reason_of(state_, now.reason);
      },
      [this] {
        companion_.set_maintenance(kept_out());
        if (!companion_.report().maintenance.on) {
          throw Error(Fault::Mismatch, "the companion took it, and is not in maintenance mode");
        }
      });
  add(plan, "the health port answers 503", "asked until it does", nullptr,
      [this] { wait_for_health(companion_, wait(), 503); });
}

void Upgrade::add_pauses(WorkPlan& plan) {
  if (state_.parts.sync) {
    const std::string reason = upgrade_reason(state_);
    add(
        plan, "pause xroad-sync", sync().text({"pause", "--reason", reason}),
        [this] { return sync().pause_now().has_value(); },
        [this, reason] { sync().pause(reason); });
    add(
        plan, "no sync is at work", "asked until the run that began before the pause has ended",
        nullptr, [this] { wait_for_sync_end(sync(), wait()); });
  }
  if (!state_.parts.replay) return;
  add(
      plan, "pause replay", "select pg_wal_replay_pause(), until it stands still",
      [this] { return read_progress(*database(), clock_.now() + kLook).pause == "paused"; },
      [this] { pause_replay(*database(), clock_, deadline()); });
}

void Upgrade::add_notes_of_prepare(WorkPlan& plan) const {
  if (state_.maintenance_before.on) {
    plan.note("Maintenance mode was on before (" +
              maintenance_text(state_.maintenance_before, wall_now()) +
              "): finish puts it back as it was.");
  }
  if (!state_.sync_before.empty()) {
    plan.note("The sync was paused before, " + state_.sync_before + ": finish leaves it paused.");
  }
  if (state_.replay_before) plan.note("Replay was paused before: finish leaves it paused.");
  if (state_.parts.replay) {
    plan.note(
        "A restart of PostgreSQL ends the pause of replay: run upgrade prepare again after one "
        "that is not to end it.");
  }
  if (state_.role != "secondary") {
    plan.note("Not done here: nothing is paused on a " + state_.role +
              ". What it changes reaches every secondary that was not told before: "
              "xroad-companion upgrade prepare --keep-serving");
  }
  if (!state_.parts.maintenance) {
    plan.note("This node goes on serving. When its turn comes: xroad-companion upgrade prepare");
    return;
  }
  plan.note(
      "Now: stop X-Road's services when ss -tn state established '( sport = :5500 or dport = :5500 "
      ")' shows no connection, upgrade the packages, start the services, then: " +
      std::string(kFinish));
}

WorkPlan Upgrade::plan_prepare(UpgradeOrder order) {
  running_ = UpgradePhase::Preparing;
  look_before(std::move(order));
  WorkPlan plan("xroad-companion upgrade prepare (or back: " + std::string(kFinish) + ")");
  const bool kept =
      loaded_ && loaded_->parts == state_.parts &&
      (loaded_->phase == UpgradePhase::Preparing || loaded_->phase == UpgradePhase::Prepared);
  if (kept && loaded_->phase == UpgradePhase::Prepared) running_ = UpgradePhase::Prepared;
  add(
      plan, "remember what this node is like",
      "write " + escape(settings_.upgrade.state_file) + ": maintenance mode " +
          maintenance_text(state_.maintenance_before, wall_now()) + ", sync " +
          (state_.sync_before.empty() ? "not paused" : "paused " + state_.sync_before) +
          ", replay " + (state_.replay_before ? "paused" : "not paused"),
      [kept] { return kept; }, [] {});
  add_maintenance_on(plan);
  add_pauses(plan);
  add_notes_of_prepare(plan);
  return plan;
}

// ---- finish

void Upgrade::add_replay_on(WorkPlan& plan) {
  if (!state_.parts.replay) return;
  if (state_.replay_before && !replay_runs()) {
    plan.note(
        "Replay stays paused, as it was before the upgrade: xroad-companion replication resume");
    return;
  }
  add(
      plan, "resume replay", "select pg_wal_replay_resume(), until it goes on",
      [this] { return replay_runs(); }, [this] { resume_replay(*database(), clock_, deadline()); });
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
  if (pause && !is_reason_of(state_, pause->reason)) {
    plan.note("The sync stays paused, " + pause->words() +
              ", and no sync was made: xroad-sync resume, then xroad-sync");
    return;
  }
  add(
      plan, "resume xroad-sync", sync().text({"resume"}), [this] { return !sync().pause_now(); },
      [this] { sync().resume(); });
  add(plan, "sync now", sync().text({"--fail-if-paused"}), nullptr,
      [this] { sync().run_now(deadline()); });
}

void Upgrade::add_verdict(WorkPlan& plan) {
  add(plan, "every check passes",
      "asked at the companion, apart from the maintenance mode, each check anew", nullptr,
      [this] { wait_for_checks(companion_, wait()); });
}

void Upgrade::add_maintenance_off(WorkPlan& plan) {
  const MaintenanceState wanted = wanted_after();
  if (state_.parts.maintenance) {
    add(
        plan, wanted.on ? "maintenance mode as it was before" : "maintenance mode off",
        maintenance_text(wanted, wall_now()),
        [this, wanted] {
          const MaintenanceState now = companion_.report().maintenance;
          return now.on == wanted.on && (!now.on || now.reason == wanted.reason);
        },
        [this, wanted] {
          state_.phase = UpgradePhase::Leaving;
          save();
          companion_.set_maintenance(wanted);
        });
  }
  if (wanted.on) {
    plan.note("This node stays in maintenance mode, as it was before the upgrade: " +
              maintenance_text(wanted, wall_now()));
    return;
  }
  if (!state_.parts.maintenance && companion_.report().maintenance.on) {
    plan.note("This node is in maintenance mode, which is not the upgrade's.");
    return;
  }
  add(plan, "the health port answers 200", "asked until it does", nullptr,
      [this] { wait_for_health(companion_, wait(), 200); });
}

std::optional<WorkPlan> Upgrade::plan_finish() {
  loaded_ = load_upgrade(settings_.upgrade.state_file);
  if (!loaded_) return std::nullopt;
  state_ = *loaded_;
  running_ = UpgradePhase::Finishing;
  WorkPlan plan(kFinish);
  add_replay_on(plan);
  add_sync_on(plan);
  add_verdict(plan);
  add_maintenance_off(plan);
  return plan;
}

}  // namespace xs
