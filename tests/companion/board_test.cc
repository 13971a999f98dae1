// SPDX-License-Identifier: MIT
#include "companion/board.h"

#include <sys/resource.h>

#include "tests/support/catch.h"
#include "tests/support/stage_clock.h"
#include "tests/support/staged_check.h"
#include "tests/support/temp_tree.h"

using namespace xs;
using namespace std::chrono_literals;
using test::eventually;
using test::Script;
using test::StageClock;
using test::StagedCheck;

namespace {

struct Stage {
  std::shared_ptr<Script> add(const std::string& name) {
    auto script = std::make_shared<Script>();
    checks.push_back(std::make_unique<StagedCheck>(name, name, script));
    return script;
  }
  StageClock clock;
  std::vector<std::unique_ptr<Check>> checks;
};

}  // namespace

TEST_CASE("board: answers are kept warm without anybody asking", "[companion]") {
  Stage stage;
  const auto script = stage.add("a");
  const Board board(std::move(stage.checks), stage.clock);
  REQUIRE(board.wait_until_known(stage.clock.now() + 20s));
  CHECK_FALSE(board.first_failure());
  const int asked = script->asked;
  for (int i = 0; i < 1000; ++i) board.first_failure();
  CHECK(script->asked == asked);
  script->fail_with("broken");
  stage.clock.advance(2s);
  CHECK(eventually([&] { return board.first_failure() == "broken"; }));
}

TEST_CASE("board: a stuck check delays no other and no answer", "[companion]") {
  Stage stage;
  const auto stuck = stage.add("stuck");
  const auto lively = stage.add("lively");
  stuck->hold();
  Board board(std::move(stage.checks), stage.clock);
  CHECK(eventually([&] { return lively->asked == 1 && stuck->asked == 1; }));
  CHECK(board.first_failure() == no_result_text("stuck"));
  for (int round = 2; round < 8; ++round) {
    // This round's answer has been taken down, too.
    CHECK(eventually([&] {
      const Reading now = board.readings()[1];
      return now.ok && now.age == 0s;
    }));
    stage.clock.advance(2s);
    CHECK(eventually([&] { return lively->asked == round; }));
  }
  CHECK(board.first_failure() == timed_out_text("stuck"));
  CHECK(eventually([&] { return board.readings()[1].ok; }));
  CHECK(stuck->asked == 1);
  stuck->release();
  CHECK(eventually([&] { return board.readings()[0].took > 5s; }));
  CHECK(board.first_failure() == timed_out_text("stuck"));  // held for 30 s
  stage.clock.advance(30s);
  CHECK(eventually([&] { return !board.first_failure(); }));
}

TEST_CASE("board: a check that throws is a failure with its reason", "[companion]") {
  Stage stage;
  stage.add("a")->throw_error();
  const Board board(std::move(stage.checks), stage.clock);
  REQUIRE(board.wait_until_known(stage.clock.now() + 20s));
  CHECK(board.first_failure() == "Fetching health check response failed for: a");
  CHECK(board.readings()[0].detail == "cannot open 'x'");
}

TEST_CASE("board: a check that ran into its deadline itself has timed out, with its reason",
          "[companion]") {
  // Waits for what never comes, and says for what.
  struct Waiting final : Check {
    std::string name() const override { return "a"; }
    std::string word() const override { return "a"; }
    Verdict ask(Clock& clock, Instant deadline) override {
      asked = true;
      clock.poll({}, deadline);
      throw Error(Fault::ConnectTimeout, "no connection to ss1");
    }
    std::atomic<bool>& asked;
    explicit Waiting(std::atomic<bool>& flag) : asked(flag) {}
  };
  Stage stage;
  std::atomic<bool> asked = false;
  stage.checks.push_back(std::make_unique<Waiting>(asked));
  const Board board(std::move(stage.checks), stage.clock);
  REQUIRE(eventually([&] { return asked.load(); }));
  stage.clock.advance(4900ms);  // and the board's own deadline is still to come
  CHECK(eventually([&] { return board.readings()[0].detail == "no connection to ss1"; }));
  CHECK(board.first_failure() == timed_out_text("a"));
}

TEST_CASE("board: it tells whether it comes round, whatever its checks do", "[companion]") {
  Stage stage;
  const auto stuck = stage.add("stuck");
  stuck->hold();
  {
    Board board(std::move(stage.checks), stage.clock);
    CHECK(eventually([&] { return stuck->asked == 1; }));
    for (int i = 0; i < 3; ++i) CHECK(eventually([&] { return board.came_round(); }));
    stuck->release();
  }
  // A clock that never comes back from a wait, as a board that hangs.
  struct Hung final : Clock {
    Instant now() const override { return Instant(1h); }
    int poll(std::span<pollfd>, Instant) override {
      pollfd wait{let_go.get(), POLLIN, 0};
      return ::poll(&wait, 1, -1);
    }
    Fd let_go{::eventfd(0, EFD_CLOEXEC)};
  };
  Hung hung;
  Board board({}, hung);
  CHECK(eventually([&] { return board.came_round(); }));
  CHECK_FALSE(board.came_round());
  CHECK_FALSE(board.came_round());
  CHECK(::eventfd_write(hung.let_go.get(), 1) == 0);
  CHECK(eventually([&] { return board.came_round(); }));
}

TEST_CASE("board: it ends without the thread of a stuck check", "[companion]") {
  Stage stage;
  const auto stuck = stage.add("stuck");
  stuck->hold();
  {
    Board board(std::move(stage.checks), stage.clock);
    CHECK(eventually([&] { return stuck->asked == 1; }));
    CHECK_FALSE(board.stop(10ms));
  }
  const std::weak_ptr<Script> gone = stuck;
  stuck->release();
  // The thread lets go of the check once it can.
  CHECK(eventually([&] { return gone.use_count() == 1; }));
}

TEST_CASE("board: without checks there is nothing to fail", "[companion]") {
  StageClock clock;
  const Board board({}, clock);
  CHECK_FALSE(board.first_failure());
  CHECK(board.wait_until_known(clock.now() + 20s));
}

TEST_CASE("board: without a thread for every check it does not start", "[companion]") {
  const int outcome = test::as_nobody([] {
    const rlimit none{1, 1};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) return 2;
    Stage stage;
    stage.add("a");
    try {
      const Board board(std::move(stage.checks), stage.clock);
    } catch (const Error& error) {
      return error.fault() == Fault::Start ? 0 : 3;
    }
    return 4;
  });
  CHECK(outcome == 0);
}
