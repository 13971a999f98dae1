// SPDX-License-Identifier: MIT
#include "companion/schedule.h"

#include "tests/support/catch.h"

using namespace xs;
using namespace std::chrono_literals;
using Indexes = std::vector<std::size_t>;

namespace {

const Instant kStart{std::chrono::hours(1)};

Schedule one() { return Schedule(std::vector<CheckName>{{"Global conf validity", "global-conf"}}); }

Schedule answered(bool ok) {
  Schedule schedule = one();
  schedule.start_due(kStart);
  schedule.finish(0, ok ? Verdict{true} : Verdict{false, "broken", "why"}, kStart);
  return schedule;
}

}  // namespace

TEST_CASE("schedule: a success holds for 2 s, then the check is asked again", "[companion]") {
  Schedule schedule = answered(true);
  CHECK(schedule.next() == kStart + 2s);
  CHECK(schedule.start_due(kStart + 2s - 1ns).empty());
  CHECK(schedule.start_due(kStart + 2s) == Indexes{0});
  CHECK(schedule.start_due(kStart + 3s).empty());  // asked already
  CHECK_FALSE(schedule.first_failure(kStart + 3s));
}

TEST_CASE("schedule: a failure holds for 30 s even when the check would pass", "[companion]") {
  Schedule schedule = answered(false);
  CHECK(schedule.next() == kStart + 30s);
  CHECK(schedule.start_due(kStart + 30s - 1ns).empty());
  CHECK(schedule.first_failure(kStart + 30s - 1ns) == "broken");
  CHECK(schedule.start_due(kStart + 30s) == Indexes{0});
  CHECK(schedule.first_failure(kStart + 31s) == "broken");
  schedule.finish(0, Verdict{true}, kStart + 31s);
  CHECK_FALSE(schedule.first_failure(kStart + 31s));
}

TEST_CASE("schedule: an answer after 5 s is a failure with X-Road's text for 30 s", "[companion]") {
  const std::string text = "Fetching health check response timed out for: Global conf validity";
  Schedule schedule = answered(true);
  const Instant asked = kStart + 2s;
  schedule.start_due(asked);
  CHECK(schedule.next() == asked + 5s);
  CHECK_FALSE(schedule.first_failure(asked + 5s - 1ns));
  CHECK(schedule.first_failure(asked + 5s) == text);  // before anybody calls expire()
  schedule.expire(asked + 5s);
  CHECK(schedule.first_failure(asked + 5s) == text);
  schedule.finish(0, Verdict{true}, asked + 6s);  // too late
  CHECK(schedule.first_failure(asked + 6s) == text);
  CHECK(schedule.reading(0, asked + 6s).took == 6s);
  CHECK(schedule.start_due(asked + 35s - 1ns).empty());
  CHECK(schedule.start_due(asked + 35s) == Indexes{0});
}

TEST_CASE("schedule: a late answer counts as late though nobody had looked", "[companion]") {
  Schedule schedule = one();
  schedule.start_due(kStart);
  schedule.finish(0, Verdict{true}, kStart + 5s);
  CHECK(schedule.first_failure(kStart + 5s) == timed_out_text("Global conf validity"));
}

TEST_CASE("schedule: a check that never comes back stays a failure and is not asked twice",
          "[companion]") {
  Schedule schedule = one();
  schedule.start_due(kStart);
  schedule.expire(kStart + 5s);
  CHECK(schedule.next() == Instant::max());
  CHECK(schedule.start_due(kStart + 1h).empty());
  CHECK(schedule.first_failure(kStart + 24h) == timed_out_text("Global conf validity"));
  schedule.finish(0, Verdict{true}, kStart + 24h);
  CHECK(schedule.start_due(kStart + 24h) == Indexes{0});
}

TEST_CASE("schedule: a failure by silence keeps what the check said last", "[companion]") {
  Schedule schedule = answered(false);
  schedule.start_due(kStart + 30s);
  CHECK(schedule.reading(0, kStart + 35s).detail == "no answer within 5 s; it said last: why");
  schedule.expire(kStart + 35s);
  CHECK(schedule.reading(0, kStart + 35s).message == timed_out_text("Global conf validity"));
  CHECK(schedule.reading(0, kStart + 35s).detail == "no answer within 5 s; it said last: why");
  // The late answer explains the very failure that is shown; it changes nothing else.
  schedule.finish(0, Verdict{false, "broken", "ss1 port 5433: no answer"}, kStart + 36s);
  const Reading late = schedule.reading(0, kStart + 36s);
  CHECK(late.message == timed_out_text("Global conf validity"));
  CHECK(late.detail == "no answer within 5 s; it said last: ss1 port 5433: no answer");
  CHECK(late.age == 1s);
  // A second silence still knows it; a success with words is known as well.
  schedule.start_due(kStart + 65s);
  schedule.expire(kStart + 70s);
  CHECK(schedule.reading(0, kStart + 70s).detail == late.detail);
  schedule.finish(0, Verdict{true}, kStart + 71s);
  schedule.start_due(kStart + 100s);
  schedule.finish(0, Verdict{true, "", "valid until 2035"}, kStart + 100s);
  CHECK(schedule.reading(0, kStart + 107s).detail ==
        "no answer within 5 s; it said last: valid until 2035");
}

TEST_CASE("schedule: before the first answer the node counts as unfit, and says so",
          "[companion]") {
  const Schedule schedule = one();
  CHECK(schedule.first_failure(kStart) ==
        "Health check has no result yet for: Global conf validity");
  CHECK_FALSE(schedule.reading(0, kStart).known);
  CHECK_FALSE(schedule.all_known());
}

TEST_CASE("schedule: a success that nobody renews is no success", "[companion]") {
  const Schedule schedule = answered(true);
  CHECK_FALSE(schedule.first_failure(kStart + 7s - 1ns));
  CHECK(schedule.first_failure(kStart + 7s) == timed_out_text("Global conf validity"));
  CHECK_FALSE(schedule.reading(0, kStart + 7s).ok);
}

TEST_CASE("schedule: the first failure in the order of the checks answers", "[companion]") {
  Schedule schedule(std::vector<CheckName>{{"a", "a"}, {"b", "b"}, {"c", "c"}});
  CHECK(schedule.start_due(kStart) == Indexes{0, 1, 2});
  schedule.finish(2, Verdict{false, "c broken"}, kStart);
  schedule.finish(1, Verdict{false, "b broken"}, kStart);
  CHECK(schedule.first_failure(kStart) == no_result_text("a"));
  schedule.finish(0, Verdict{true}, kStart);
  CHECK(schedule.first_failure(kStart) == "b broken");
  CHECK(schedule.all_known());
}

TEST_CASE("schedule: a failure without words gets X-Road's, a success has none", "[companion]") {
  Schedule schedule(std::vector<CheckName>{{"a", "a"}, {"b", "b"}});
  schedule.start_due(kStart);
  schedule.finish(0, Verdict{false}, kStart);
  schedule.finish(1, Verdict{true, "stray"}, kStart);
  CHECK(schedule.reading(0, kStart).message == "Fetching health check response failed for: a");
  CHECK(schedule.reading(1, kStart).message.empty());
}
