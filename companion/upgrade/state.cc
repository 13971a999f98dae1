// SPDX-License-Identifier: MIT
#include "companion/upgrade/state.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

using nlohmann::json;
constexpr std::size_t kFileLimit = 64U << 10;

struct PhaseWord {
  UpgradePhase phase;
  const char* word;
};
constexpr auto kPhases = std::to_array<PhaseWord>({
    {UpgradePhase::Preparing, "preparing"},
    {UpgradePhase::Prepared, "prepared"},
    {UpgradePhase::Finishing, "finishing"},
    {UpgradePhase::Leaving, "leaving"},
});

const std::string kUpgrade = "upgrade";
std::string stamp(const UpgradeState& state) { return " (prepared " + utc_text(state.since) + ")"; }

UpgradePhase phase_of(const std::string& word) {
  const auto found = std::find_if(kPhases.begin(), kPhases.end(),
                                  [&](const PhaseWord& one) { return one.word == word; });
  if (found == kPhases.end()) throw Error(Fault::Io, "no phase of an upgrade: " + quote(word));
  return found->phase;
}

}  // namespace

const char* phase_word(UpgradePhase phase) {
  return kPhases.at(static_cast<std::size_t>(phase)).word;
}

std::string upgrade_json(const UpgradeState& state) {
  json object{{"v", 1}, {"phase", phase_word(state.phase)}, {"step", state.step}};
  object["role"] = state.role;
  object["reason"] = state.reason;
  object["since"] = state.since;
  object["changed"] = state.changed;
  object["keeps_out"] = state.keeps_out();
  object["parts"] = {{"maintenance", state.parts.maintenance},
                     {"sync", state.parts.sync},
                     {"replay", state.parts.replay}};
  object["before"] = {{"maintenance", json::parse(maintenance_json(state.maintenance_before))},
                      {"sync_paused", state.sync_before},
                      {"replay_paused", state.replay_before}};
  return object.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

UpgradeState parse_upgrade(std::string_view text) {
  try {
    const json object = json::parse(text);
    UpgradeState state;
    state.phase = phase_of(object.at("phase").get<std::string>());
    object.at("step").get_to(state.step);
    object.at("role").get_to(state.role);
    object.at("reason").get_to(state.reason);
    object.at("since").get_to(state.since);
    object.at("changed").get_to(state.changed);
    const json& parts = object.at("parts");
    parts.at("maintenance").get_to(state.parts.maintenance);
    parts.at("sync").get_to(state.parts.sync);
    parts.at("replay").get_to(state.parts.replay);
    const json& before = object.at("before");
    state.maintenance_before = parse_maintenance(before.at("maintenance").dump());
    before.at("sync_paused").get_to(state.sync_before);
    before.at("replay_paused").get_to(state.replay_before);
    return state;
  } catch (const json::exception& error) {
    throw Error(Fault::Io,
                "the state of the upgrade is not what we write: " + excerpt(error.what(), 120));
  }
}

std::optional<UpgradeState> load_upgrade(const std::string& file) {
  try {
    const auto text = read_file_if_exists(file, kFileLimit);
    if (!text) return std::nullopt;
    return parse_upgrade(*text);
  } catch (const Error& error) {
    throw Error(Fault::Io,
                quote(file) + ": " + error.text() +
                    "; what an upgrade left is then yours to undo: xroad-companion replication "
                    "resume, xroad-sync resume, remove this file, xroad-companion maintenance off",
                error.code());
  }
}

void save_upgrade(const std::string& file, const UpgradeState& state) {
  // Nothing in it is secret, and the companion's own user reads it at start.
  replace_file(file, upgrade_json(state), 0644);
}

void remove_upgrade(const std::string& file) {
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) throw_errno("unlink", file);
}

std::string upgrade_words(const UpgradeState& state, std::int64_t now) {
  const std::string ago = span_text(std::max<std::int64_t>(0, now - state.since)) + " ago";
  const std::string why = state.reason.empty() ? "" : ": " + escape(state.reason);
  const std::string step = state.step.empty() ? "" : " (begun: " + escape(state.step) + ")";
  switch (state.phase) {
    case UpgradePhase::Preparing: return "begun " + ago + " and not prepared" + step + why;
    case UpgradePhase::Prepared:
      return std::string(state.parts.maintenance ? "prepared " : "prepared, and serving, ") + ago +
             why;
    case UpgradePhase::Finishing:
    case UpgradePhase::Leaving: break;
  }
  return "prepared " + ago + " and not finished" + step + why;
}

std::string upgrade_reason(const UpgradeState& state) {
  const std::string why = state.reason.empty() ? "" : ": " + state.reason;
  return kUpgrade + why + stamp(state);
}

bool is_reason_of(const UpgradeState& state, std::string_view reason) {
  return reason.starts_with(kUpgrade) && reason.ends_with(stamp(state));
}

void keep_out_for_upgrade(const std::string& file, Maintenance& maintenance) {
  const MaintenanceState now = maintenance.state();
  MaintenanceState next;
  next.on = true;
  try {
    const auto state = load_upgrade(file);
    if (!state || !state->keeps_out()) return;
    // It survived the restart, and may be somebody else's: finish tells the two apart.
    if (now.on && !now.until) return;
    next.reason = upgrade_reason(*state);
  } catch (const Error& error) {
    next.reason = "the state of an upgrade cannot be read";
    spdlog::error("{}", error.text());
  }
  spdlog::warn("maintenance mode is on: {}; end it with: xroad-companion upgrade finish",
               escape(next.reason));
  maintenance.set(std::move(next));
}

UpgradeLock::UpgradeLock(const std::string& file)
    : file_(open_file(file + ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600)) {
  while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) throw_errno("flock", file + ".lock");
    throw Error(Fault::Locked, "another xroad-companion upgrade is at work on this node");
  }
}

}  // namespace xs
