// SPDX-License-Identifier: MIT
#include "tests/companion/verbs/operator.h"

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/program.h"

using Catch::Contains;

namespace xs::test {

std::vector<std::string> Operator::line(const Postgres& server,
                                        std::vector<std::string> words) const {
  std::vector<std::string> all{XS_COMPANION,
                               "--config",
                               dir / "companion.ini",
                               "--xroad",
                               dir / "none",
                               "replication",
                               words.at(0),
                               "--host",
                               server.sockets(),
                               "--port",
                               std::to_string(server.port())};
  all.insert(all.end(), words.begin() + 1, words.end());
  return all;
}

std::string Operator::run(int code, const Postgres& server,
                          const std::vector<std::string>& words) const {
  const Outcome outcome = run_program(line(server, words));
  const std::string both = outcome.out + outcome.end;
  INFO(words.at(0) << ": " << both);
  CHECK_THAT(outcome.end, Catch::EndsWith("status " + std::to_string(code)));
  CHECK_THAT(both, !Contains("s3cret") && !Contains("wr0ng"));
  return both;
}

std::string Operator::fail(int code, const Postgres& server,
                           const std::vector<std::string>& words) const {
  const std::string both = run(code, server, words);
  CHECK(std::count(both.begin(), both.end(), '\n') <= 1);
  return both;
}

bool Operator::sees_no_receiver(const Postgres& standby) const {
  for (int i = 0; i < 8; ++i) {
    const Outcome outcome = run_program(line(standby, {"status", "--check"}));
    const bool none = outcome.out.find("no receiver runs") != std::string::npos ||
                      outcome.out.find("not streaming but 'restarting'") != std::string::npos;
    const bool critical = outcome.out.starts_with("REPLICATION CRITICAL - standby, ");
    if (!none || !critical || !outcome.end.ends_with("status 2")) {
      UNSCOPED_INFO(outcome.out + outcome.end);
      return false;
    }
  }
  return true;
}

bool streams(const Postgres& standby) {
  return standby.says("select status from pg_stat_wal_receiver", "streaming");
}

bool is_waiting(const Postgres& standby) {
  return standby.says(
      "select count(*) > 0 from pg_stat_activity where application_name = 'xroad-companion' and "
      "query like '%pg_get_wal_replay_pause_state%'",
      "t");
}

}  // namespace xs::test
