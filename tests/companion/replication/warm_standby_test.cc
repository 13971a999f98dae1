// SPDX-License-Identifier: MIT
// A standby that answers nobody (hot_standby = off), and the verbs that ask one.
#include "tests/companion/replication/at_node.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

TEST_CASE("warm standby: each verb that asks it says what it is and where to look",
          "[replication]") {
  if (without_postgres()) return;
  PairOptions options;
  options.standby = {"hot_standby = off"};
  const FailoverPair pair(options);
  for (const char* verb : {"status", "pause", "resume", "wait"}) {
    CAPTURE(verb);
    const Outcome outcome = ask_at(pair.ss2, {verb});
    CHECK_THAT(outcome.end, Contains("is a warm standby (hot_standby is off)") &&
                                Contains("`replication status` of its primary") &&
                                Contains("status 11"));
    CHECK(outcome.out.empty());
    CHECK(std::count(outcome.end.begin(), outcome.end.end(), '\n') == 0);
  }
  const Outcome check = ask_at(pair.ss2, {"status", "--check"});
  CHECK_THAT(check.out, Contains("REPLICATION UNKNOWN - this node's database is a warm standby"));
  CHECK(check.end == "it ended with status 3");
  // And there it is.
  CHECK_THAT(ask_at(pair.ss1, {"status"}).out, Contains("| ss2") && Contains("| streaming |"));

  // A primary that is asked for as the primary of a standby which is down says no such thing.
  pair.ss2.stop();
  CHECK_THAT(ask_at(pair.ss2, {"status"}).end,
             Contains("this node's database: ") && Contains("status 11"));
}
