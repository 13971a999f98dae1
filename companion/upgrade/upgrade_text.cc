// SPDX-License-Identifier: MIT
#include "companion/upgrade/upgrade_text.h"

#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "companion/admin_client.h"
#include "companion/replication/connection.h"
#include "companion/replication/status.h"
#include "companion/upgrade/sync_program.h"

namespace xs {
namespace {

using nlohmann::json;
constexpr Duration kAskFor = std::chrono::seconds(5);

std::string or_why(const std::function<std::string()>& ask) {
  try {
    return ask();
  } catch (const Error& error) {
    return "not known: " + error.text();
  }
}

std::string line(const char* name, bool part, const std::string& now, const std::string& before) {
  return std::string("  ") + name + (part ? now : now + " (not the upgrade's)") +
         (before.empty() ? "" : "; before: " + before) + "\n";
}

}  // namespace

UpgradeView view_upgrade(const NodeSettings& settings, const ReplicationAccess& access,
                         Clock& clock) {
  UpgradeView view;
  view.state = load_upgrade(settings.upgrade.state_file);
  view.maintenance = or_why([&] {
    return maintenance_text(AdminClient(settings, clock).report().maintenance, wall_now());
  });
  if (settings.role != "secondary") return view;
  view.sync = or_why([&] {
    const auto pause = SyncProgram(settings.upgrade, clock).pause_now();
    return pause ? "paused " + pause->words() : std::string("not paused");
  });
  view.replay = or_why([&] {
    const Instant deadline = clock.now() + kAskFor;
    return read_progress(*open_local(access, clock, deadline), deadline).pause;
  });
  return view;
}

std::string upgrade_text(const UpgradeView& view, std::int64_t now) {
  std::string text = "no upgrade is going on\n";
  const UpgradeState state = view.state.value_or(UpgradeState());
  if (view.state) text = "upgrade " + upgrade_words(state, now) + "\n";
  text += line("maintenance mode: ", state.parts.maintenance, view.maintenance,
               state.maintenance_before.on ? maintenance_text(state.maintenance_before, now) : "");
  if (!view.sync.empty()) {
    text += line("sync:             ", state.parts.sync, view.sync,
                 state.sync_before.empty() ? "" : "paused " + state.sync_before);
  }
  if (!view.replay.empty()) {
    text += line("replay:           ", state.parts.replay, view.replay,
                 state.replay_before ? "paused" : "");
  }
  if (!view.state) return text;
  const bool half = state.phase == UpgradePhase::Preparing;
  return text +
         (half ? "go on with: xroad-companion upgrade prepare; back with: " : "end it with: ") +
         "xroad-companion upgrade finish\n";
}

std::string upgrade_view_json(const UpgradeView& view) {
  json object = json::object();
  if (view.state) {
    object = json::parse(upgrade_json(*view.state));
  } else {
    object["v"] = 1;
    object["phase"] = nullptr;
  }
  object["now"] = {{"maintenance", view.maintenance}};
  if (!view.sync.empty()) object["now"]["sync"] = view.sync;
  if (!view.replay.empty()) object["now"]["replay"] = view.replay;
  return object.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace xs
