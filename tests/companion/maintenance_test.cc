// SPDX-License-Identifier: MIT
#include "companion/maintenance.h"

#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using test::TempDir;

namespace {

MaintenanceState on(const std::string& reason = "") {
  MaintenanceState state;
  state.on = true;
  state.reason = reason;
  return state;
}

}  // namespace

TEST_CASE("maintenance: off at first, and set() says what was before", "[companion]") {
  Maintenance maintenance([] { return 100; });
  CHECK_FALSE(maintenance.state().on);
  CHECK_FALSE(maintenance.set(on("upgrade")));
  CHECK(maintenance.state().reason == "upgrade");
  CHECK(maintenance.state().since == 100);
  CHECK(maintenance.set(on()));
  CHECK(maintenance.set({}));
  CHECK(maintenance.state() == MaintenanceState());
}

TEST_CASE("maintenance: it ends by itself at its time and stays since the first setting",
          "[companion]") {
  std::int64_t now = 100;
  Maintenance maintenance([&now] { return now; });
  MaintenanceState state = on();
  state.until = 160;
  maintenance.set(state);
  now = 150;
  maintenance.set(state);
  CHECK(maintenance.state().since == 100);
  now = 159;
  CHECK(maintenance.state().on);
  now = 160;
  CHECK_FALSE(maintenance.state().on);
  CHECK_FALSE(maintenance.set(on()));
}

TEST_CASE("maintenance: a restart forgets it, unless there is a file", "[companion]") {
  const TempDir dir;
  const std::string file = dir / "maintenance.json";
  {
    Maintenance kept([] { return 100; }, file);
    MaintenanceState state = on("line\nbreak \xff");
    state.drain = true;
    state.until = 500;
    kept.set(state);
  }
  const Maintenance again([] { return 200; }, file);
  CHECK(again.state().on);
  CHECK(again.state().drain);
  CHECK(again.state().since == 100);
  CHECK(again.state().until == 500);
  CHECK(again.state().reason.starts_with("line\nbreak "));
  CHECK_FALSE(Maintenance([] { return 200; }).state().on);
  CHECK_FALSE(Maintenance([] { return 500; }, file).state().on);
}

TEST_CASE("maintenance: what is over stays over when the clock is set back", "[companion]") {
  const TempDir dir;
  const std::string file = dir / "maintenance.json";
  std::int64_t now = 100;
  Maintenance maintenance([&] { return now; }, file);
  MaintenanceState state = on("a disk");
  state.until = 160;
  maintenance.set(state);
  now = 160;
  CHECK_FALSE(maintenance.state().on);
  maintenance.sweep();
  now = 120;
  CHECK_FALSE(maintenance.state().on);
  CHECK_FALSE(Maintenance([&] { return now; }, file).state().on);
}

TEST_CASE("maintenance: a state that cannot be read keeps the node out of work", "[companion]") {
  const TempDir dir;
  for (const char* bytes :
       {"", "{", "[]", "null", "{\"maintenance\":1}", "{\"maintenance\":false}",
        "{\"maintenance\":true,\"drain\":false,\"since\":\"x\",\"reason\":\"\"}",
        "{\"maintenance\":false,\"drain\":false,\"since\":1.5,\"reason\":\"\"}"}) {
    INFO(bytes);
    const std::string file = dir.write("state", bytes);
    const Maintenance maintenance([] { return 1; }, file);
    CHECK(maintenance.state().on);
    CHECK(maintenance.state().reason == "the state from before the restart cannot be read");
  }
  CHECK_FALSE(Maintenance([] { return 1; }, dir / "absent").state().on);
}

TEST_CASE("maintenance: a state that cannot be written still holds in memory", "[companion]") {
  const TempDir dir;
  Maintenance maintenance([] { return 1; }, dir / "no/such/dir/state");
  CHECK_FALSE(maintenance.set(on()));
  CHECK(maintenance.state().on);
}
