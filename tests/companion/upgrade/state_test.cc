// SPDX-License-Identifier: MIT
// What an upgrade remembers, and what a companion that starts makes of it.
#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "base/io.h"
#include "companion/upgrade/upgrade_text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::TempDir;

namespace {

UpgradeState full() {
  UpgradeState state;
  state.phase = UpgradePhase::Finishing;
  state.step = "sync now";
  state.role = "secondary";
  state.reason = "version 7.5";
  state.since = 1'000'000;
  state.changed = 1'000'060;
  state.parts = {true, true, false};
  state.maintenance_before = {true, true, "a disk", 999'000, 2'000'000};
  state.sync_before = "by root: the flag";
  state.replay_before = true;
  return state;
}

}  // namespace

TEST_CASE("upgrade state: what is written is read, in every phase", "[upgrade]") {
  UpgradeState state = full();
  for (const UpgradePhase phase : {UpgradePhase::Preparing, UpgradePhase::Prepared,
                                   UpgradePhase::Finishing, UpgradePhase::Leaving}) {
    state.phase = phase;
    CHECK(parse_upgrade(upgrade_json(state)) == state);
  }
}

TEST_CASE("upgrade state: a file that lacks or twists a key is refused with the way out",
          "[upgrade]") {
  const TempDir dir;
  const auto whole = nlohmann::json::parse(upgrade_json(full()));
  for (const auto& [key, value] : whole.items()) {
    if (key == "v" || key == "keeps_out") continue;  // for readers only
    for (const bool twist : {false, true}) {
      INFO(key << (twist ? " twisted" : " missing"));
      auto broken = whole;
      if (twist) {
        broken[key] = nlohmann::json::array({1});
      } else {
        broken.erase(key);
      }
      dir.write("u.json", broken.dump());
      const auto error = test::thrown_by([&] { load_upgrade(dir / "u.json"); });
      REQUIRE(error);
      CHECK(error->fault() == Fault::Io);
      CHECK_THAT(error->text(), Contains("u.json") && Contains("remove this file"));
    }
  }
}

TEST_CASE("upgrade state: a service that starts stays out exactly while the upgrade says so",
          "[upgrade]") {
  const TempDir dir;
  const std::string file = dir / "u.json";
  const auto starts = [&] {
    Maintenance maintenance(wall_now);
    keep_out_for_upgrade(file, maintenance);
    return maintenance.state();
  };
  CHECK_FALSE(starts().on);
  UpgradeState state = full();
  save_upgrade(file, state);
  CHECK(starts().on);
  CHECK(starts().reason == "upgrade: version 7.5 (prepared 1970-01-12T13:46:40Z)");
  state.phase = UpgradePhase::Leaving;
  save_upgrade(file, state);
  CHECK_FALSE(starts().on);
  state.phase = UpgradePhase::Prepared;
  state.parts.maintenance = false;
  save_upgrade(file, state);
  CHECK_FALSE(starts().on);
  dir.write("u.json", "{");
  CHECK(starts().on);
  remove_upgrade(file);
  remove_upgrade(file);
  CHECK_FALSE(starts().on);
}

TEST_CASE("upgrade state: a mode that survived the restart keeps its reason, unless it would end",
          "[upgrade]") {
  const TempDir dir;
  const std::string file = dir / "u.json";
  save_upgrade(file, full());
  Maintenance before(wall_now, dir / "m.json");
  for (const bool ends : {false, true}) {
    MaintenanceState theirs;
    theirs.on = true;
    theirs.reason = "disk failing";
    if (ends) theirs.until = wall_now() + 3600;
    before.set(theirs);
    Maintenance maintenance(wall_now, dir / "m.json");
    keep_out_for_upgrade(file, maintenance);
    CHECK(maintenance.state().on);
    CHECK_FALSE(maintenance.state().until);
    CHECK((maintenance.state().reason == "disk failing") == !ends);
  }
}

TEST_CASE("upgrade state: its words tell the phase, the step that was begun and the reason",
          "[upgrade]") {
  UpgradeState state = full();
  CHECK(upgrade_words(state, 1'000'120) ==
        "prepared 2 min ago and not finished (begun: sync now): version 7.5");
  state.phase = UpgradePhase::Preparing;
  CHECK_THAT(upgrade_words(state, 1'000'120), Contains("begun 2 min ago and not prepared"));
  state.phase = UpgradePhase::Prepared;
  CHECK(upgrade_words(state, 1'000'120) == "prepared 2 min ago: version 7.5");
  state.parts.maintenance = false;
  CHECK(upgrade_words(state, 1'000'120) == "prepared, and serving, 2 min ago: version 7.5");
}

TEST_CASE("upgrade state: a second verb is told that one is at work", "[upgrade]") {
  const TempDir dir;
  const UpgradeLock held(dir / "u.json");
  const auto error = test::thrown_by([&] { UpgradeLock second(dir / "u.json"); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Locked);
}

TEST_CASE("upgrade status: text and JSON tell then and now", "[upgrade]") {
  UpgradeView view{full(), "off", "not paused", "paused"};
  const std::string text = upgrade_text(view, 1'000'120);
  CHECK_THAT(text, Contains("upgrade prepared 2 min ago and not finished"));
  CHECK_THAT(text, Contains("maintenance mode: off; before: draining"));
  CHECK_THAT(text, Contains("not paused; before: paused by root: the flag"));
  CHECK_THAT(text, Contains("paused (not the upgrade's); before: paused"));
  CHECK_THAT(text, Contains("end it with: xroad-companion upgrade finish"));
  const auto json = nlohmann::json::parse(upgrade_view_json(view));
  CHECK(json["phase"] == "finishing");
  CHECK(json["before"]["replay_paused"] == true);
  CHECK(json["now"]["sync"] == "not paused");
  view.state.reset();
  CHECK_THAT(upgrade_text(view, 0), Contains("no upgrade is going on"));
  CHECK(nlohmann::json::parse(upgrade_view_json(view))["phase"] == nullptr);
}
