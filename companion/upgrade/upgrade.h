// SPDX-License-Identifier: MIT
// Upgrade: the guide's rolling upgrade (chapter 7.2) on one node, as plans (replication/plan.h) of
// steps that are each verified. Called by `xroad-companion upgrade`. prepare: maintenance mode on,
// the health port answers 503, xroad-sync paused and no run of it at work, replay paused. finish:
// replay resumed, caught up with the primary, xroad-sync resumed, one sync, every check passes,
// maintenance mode off, the health port answers 200. What somebody else had paused or switched
// before stays as it was. Every step is written to the state file before it is begun, so both go on
// after a crash.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "companion/admin_client.h"
#include "companion/db.h"
#include "companion/replication/access.h"
#include "companion/replication/plan.h"
#include "companion/upgrade/state.h"
#include "companion/upgrade/sync_program.h"
#include "companion/upgrade/waits.h"

namespace xs {

inline constexpr Duration kUpgradeLook = std::chrono::seconds(10);  // for one question
inline constexpr const char* kUpgradeFinish = "xroad-companion upgrade finish";

struct UpgradeTimes {
  Duration step = std::chrono::minutes(2);  // for each step that waits
  std::function<void(const std::string&)> tell = [](const std::string&) {};  // while it waits
};

struct UpgradeOrder {
  std::string reason;
  UpgradeParts parts;
};

class Upgrade {
 public:
  Upgrade(const NodeSettings& settings, ReplicationAccess access, Clock& clock, UpgradeTimes times);

  // Both look at the node and change nothing; they throw what keeps a plan from being made. A
  // primary has nothing to pause: maintenance mode is all.
  WorkPlan plan_prepare(const UpgradeOrder& order);
  // Nothing: no upgrade is going on.
  std::optional<WorkPlan> plan_finish();

  // Behind a plan that was carried out.
  void prepared();
  void finished();

  const UpgradeState& state() const { return state_; }

 private:
  using Action = std::function<void()>;
  using Question = std::function<bool()>;

  void look_before(const UpgradeOrder& order);
  void begin(const UpgradeOrder& order);
  void go_on(const UpgradeOrder& order);
  void look_at_parts();
  void add(WorkPlan& plan, const std::string& what, const std::string& detail, Question done,
           Action act, std::function<std::string()> not_yet = nullptr);
  void add_maintenance_on(WorkPlan& plan);
  void add_pauses(WorkPlan& plan);
  void add_notes_of_prepare(WorkPlan& plan) const;
  void add_replay_on(WorkPlan& plan);
  void add_sync_on(WorkPlan& plan);
  void add_verdict(WorkPlan& plan);
  void add_maintenance_off(WorkPlan& plan);
  void leave_maintenance(const MaintenanceState& wanted);

  void mark(const std::string& step);
  void save();
  std::unique_ptr<Db> database() const;
  // Nothing: the database is a primary, which replays nothing.
  std::optional<bool> replay_runs() const;
  bool is_secondary() const;
  // What this upgrade has switched, and nobody else after it.
  bool is_ours(const MaintenanceState& mode) const;
  bool is_ours(const std::optional<SyncPause>& pause) const;
  const SyncProgram& sync();
  // Maintenance mode as it is to be while the upgrade lasts, and afterwards.
  MaintenanceState kept_out() const;
  MaintenanceState wanted_after() const;
  Instant deadline() const { return clock_.now() + times_.step; }
  UpgradeWait wait() const { return {clock_, deadline(), times_.tell}; }

  const NodeSettings& settings_;
  ReplicationAccess access_;
  Clock& clock_;
  UpgradeTimes times_;
  AdminClient companion_;
  std::optional<SyncProgram> sync_;
  std::optional<UpgradeState> loaded_;  // as the file has it
  UpgradeState state_;
  UpgradePhase running_ = UpgradePhase::Preparing;
  bool renamed_ = false;            // prepare was given another reason than before
  std::vector<std::string> notes_;  // of prepare
};

}  // namespace xs
