// SPDX-License-Identifier: MIT
#include "companion/upgrade/upgrade.h"

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/control.h"
#include "companion/replication/status.h"

namespace xs {
namespace {

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

// Whatever is not ours is how it was before, also where somebody has put it in the place of ours.
void Upgrade::look_at_parts() {
  if (state_.parts.maintenance) {
    const MaintenanceState now = companion_.report().maintenance;
    if (!is_ours(now)) state_.maintenance_before = now;
  }
  if (!is_secondary()) return;
  if (state_.parts.sync) {
    const auto pause = sync().pause_now();
    if (pause && pause->ends) {
      throw Error(Fault::Paused, "the sync is paused " + pause->words() +
                                     ", and that ends by itself, perhaps during the upgrade: "
                                     "xroad-sync resume, then again");
    }
    if (!is_ours(pause)) state_.sync_before = pause ? pause->words() : "";
  }
  if (state_.parts.replay) {
    const auto runs = replay_runs();
    const bool fresh = !loaded_ || !loaded_->parts.replay;
    if (!runs && fresh) {
      throw Error(Fault::Role,
                  "this node is a secondary (" + settings_.role_where +
                      "), and its database is a primary: correct that first, or leave the database "
                      "alone with --without-replay");
    }
    // Nobody can tell whose pause it is; one that has ended was not for good.
    if (runs && (fresh || *runs)) state_.replay_before = !*runs;
  }
}

void Upgrade::begin(const UpgradeOrder& order) {
  state_.parts = order.parts;
  state_.reason = short_reason(order.reason);
  state_.since = wall_now();
}

// What is stopped stays stopped until finish; more may be stopped, for another reason.
void Upgrade::go_on(const UpgradeOrder& order) {
  state_ = *loaded_;
  notes_.push_back("This goes on with the upgrade that is " + upgrade_words(*loaded_, wall_now()));
  const auto join = [this](bool& part, bool wanted, const char* option, const char* what) {
    if (part && !wanted) {
      notes_.push_back(std::string(option) + " is without effect: " + what +
                       " until finish, as an earlier prepare was told.");
    }
    part = part || wanted;
  };
  UpgradeParts& parts = state_.parts;
  join(parts.maintenance, order.parts.maintenance, "--keep-serving", "this node stays out");
  if (is_secondary()) {
    join(parts.sync, order.parts.sync, "--without-sync", "the sync stays paused");
    join(parts.replay, order.parts.replay, "--without-replay", "replay stays paused");
  }
  if (order.reason.empty()) return;
  state_.reason = short_reason(order.reason);
  renamed_ = state_.reason != loaded_->reason;
}

void Upgrade::look_before(const UpgradeOrder& order) {
  if (settings_.role == "unknown") {
    throw Error(Fault::Role, settings_.role_where +
                                 ": the type of this node is none of master, slave and standalone, "
                                 "so nobody knows what to stop on it");
  }
  loaded_ = load_upgrade(settings_.upgrade.state_file);
  if (loaded_) {
    go_on(order);
  } else {
    begin(order);
    if (!is_secondary()) state_.parts.sync = state_.parts.replay = false;
  }
  state_.role = settings_.role;
  if (state_.parts == UpgradeParts{false, false, false}) {
    throw Error(Fault::Usage,
                "nothing is left that the upgrade would stop on this node, a " + settings_.role);
  }
  look_at_parts();
}

void Upgrade::add_maintenance_on(WorkPlan& plan) {
  if (!state_.parts.maintenance) return;
  add(
      plan, "maintenance mode on",
      "until finish, also over restarts of the companion; reason: " + upgrade_reason(state_),
      [this] {
        const MaintenanceState now = companion_.report().maintenance;
        return is_ours(now) && !now.until && !renamed_;
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
  if (!is_secondary()) return;
  if (state_.parts.sync) {
    const std::string reason = upgrade_reason(state_);
    add(
        plan, "pause xroad-sync", sync().text({"pause", "--reason", reason}),
        [this] {
          const auto pause = sync().pause_now();
          return pause && !(renamed_ && is_ours(pause));
        },
        [this, reason] { sync().pause(reason); });
    add(plan, "no sync is at work", "asked until the run that began before the pause has ended",
        nullptr, [this] { wait_for_sync_end(sync(), wait()); });
  }
  if (!state_.parts.replay) return;
  if (!replay_runs()) {
    notes_.push_back("The database of this node is a primary now: there is no replay to pause.");
    return;
  }
  add(
      plan, "pause replay", "select pg_wal_replay_pause(), until it stands still",
      [this] { return read_progress(*database(), clock_.now() + kUpgradeLook).pause == "paused"; },
      [this] { pause_replay(*database(), clock_, deadline()); });
}

void Upgrade::add_notes_of_prepare(WorkPlan& plan) const {
  for (const std::string& line : notes_) plan.note(line);
  if (state_.maintenance_before.on) {
    plan.note("Maintenance mode was on before (" +
              maintenance_text(state_.maintenance_before, wall_now()) +
              "): finish puts it back as it was.");
  }
  if (!state_.sync_before.empty()) {
    plan.note("The sync was paused before, " + state_.sync_before + ": finish leaves it paused.");
  }
  if (state_.replay_before) plan.note("Replay was paused before: finish leaves it paused.");
  if (state_.parts.replay && is_secondary()) {
    plan.note(
        "A restart of PostgreSQL ends the pause of replay: run upgrade prepare again after one "
        "that is not to end it.");
  }
  if (!is_secondary()) {
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
      std::string(kUpgradeFinish));
}

WorkPlan Upgrade::plan_prepare(const UpgradeOrder& order) {
  running_ = UpgradePhase::Preparing;
  look_before(order);
  WorkPlan plan("xroad-companion upgrade prepare (or back: " + std::string(kUpgradeFinish) + ")");
  const bool kept =
      loaded_ && *loaded_ == state_ &&
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

}  // namespace xs
