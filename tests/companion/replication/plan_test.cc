// SPDX-License-Identifier: MIT
#include "companion/replication/plan.h"

#include "tests/support/catch.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::thrown_by;

namespace {

// Three steps on a world of three lamps.
struct Lamps {
  bool on[3] = {false, false, false};
  int breaks = -1;      // this lamp does not go on
  int stays = -1;       // and this one cannot be put out
  std::string waiting;  // why the third is for later
  std::string said;

  WorkPlan plan() {
    WorkPlan plan("switch --again");
    for (int i = 0; i < 3; ++i) {
      const std::string name = "lamp " + std::to_string(i + 1);
      WorkStep step;
      step.what = "light " + name;
      step.detail = [name] { return "$ light " + name + "\n$ look"; };
      step.done = [this, i] { return on[i]; };
      step.act = [this, i] {
        on[i] = true;
        if (i == breaks) throw Error(Fault::Timeout, "it went bang", 7);
      };
      step.undo = [this, i] {
        if (i == stays) throw Error(Fault::Io, "the switch is stuck");
        on[i] = false;
      };
      if (i == 2) step.not_yet = [this] { return waiting; };
      plan.add(std::move(step));
    }
    plan.note("Good night.");
    return plan;
  }
  WorkPlan::Say say() {
    return [this](std::string_view text) { said += text; };
  }
};

}  // namespace

TEST_CASE("plan: a dry run tells every step and does none", "[replication]") {
  Lamps lamps;
  lamps.on[0] = true;
  lamps.waiting = "no bulb yet";
  lamps.plan().describe(lamps.say());
  CHECK(lamps.said ==
        "[1/3] light lamp 1: done already\n"
        "[2/3] light lamp 2\n"
        "      $ light lamp 2\n"
        "      $ look\n"
        "[3/3] light lamp 3: later: no bulb yet\n"
        "      $ light lamp 3\n"
        "      $ look\n"
        "Good night.\n"
        "Nothing has been changed: this was a dry run.\n");
  CHECK_FALSE(lamps.on[1]);
}

TEST_CASE("plan: a second run does nothing, and says so", "[replication]") {
  Lamps lamps;
  CHECK(lamps.plan().run(lamps.say()));
  CHECK((lamps.on[0] && lamps.on[1] && lamps.on[2]));
  lamps.said.clear();
  CHECK_FALSE(lamps.plan().run(lamps.say()));
  CHECK(lamps.said ==
        "[1/3] light lamp 1: done already\n[2/3] light lamp 2: done already\n"
        "[3/3] light lamp 3: done already\nGood night.\n");
  lamps.said.clear();
  lamps.plan().describe(lamps.say());
  CHECK_THAT(lamps.said, Contains("Nothing would be changed."));
}

TEST_CASE("plan: a failure takes back what this run has done, and only that", "[replication]") {
  Lamps lamps;
  lamps.on[0] = true;  // an earlier run's
  lamps.breaks = 2;
  const auto error = thrown_by([&] { lamps.plan().run(lamps.say()); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Timeout);
  CHECK(error->code() == 7);
  CHECK(
      error->text() ==
      "step 3 of 3 (light lamp 3) failed: it went bang; taken back: step 3, 2; when the reason is "
      "gone, go on with: switch --again");
  CHECK(lamps.on[0]);
  CHECK_FALSE(lamps.on[1]);
  CHECK_FALSE(lamps.on[2]);
  CHECK(lamps.said ==
        "[1/3] light lamp 1: done already\n[2/3] light lamp 2: done\n[3/3] light lamp 3: failed\n"
        "taken back: light lamp 3\ntaken back: light lamp 2\n");
}

TEST_CASE("plan: what cannot be taken back ends the taking back and is told", "[replication]") {
  Lamps lamps;
  lamps.breaks = 2;
  lamps.stays = 1;
  const auto error = thrown_by([&] { lamps.plan().run(lamps.say()); });
  REQUIRE(error);
  CHECK_THAT(error->text(),
             Contains("taken back: step 3; step 2 (light lamp 2) could not be taken back: the "
                      "switch is stuck"));
  CHECK(lamps.on[0]);
}

TEST_CASE("plan: a failure in the middle names what was not begun", "[replication]") {
  Lamps lamps;
  lamps.breaks = 1;
  const auto error = thrown_by([&] { lamps.plan().run(lamps.say()); });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("not begun: the steps after it"));
  CHECK_THAT(lamps.said, !Contains("lamp 3"));
}

TEST_CASE("plan: a step for later is no failure and no change", "[replication]") {
  Lamps lamps;
  lamps.on[0] = lamps.on[1] = true;
  lamps.waiting = "no bulb yet";
  CHECK_FALSE(lamps.plan().run(lamps.say()));
  CHECK_THAT(lamps.said, Contains("[3/3] light lamp 3: later: no bulb yet\n"));
}
