// SPDX-License-Identifier: MIT
#include "companion/probes.h"

#include "tests/support/catch.h"

using namespace xs;

namespace {

StatusReport secondary() {
  StatusReport report;
  report.role = "secondary";
  Reading lag;
  lag.check = {"Database replication status", "replication"};
  lag.ok = lag.known = true;
  lag.measured = {{"lag_bytes", 2048}};
  Reading age = lag;
  age.check = {"Configuration sync age", "sync-age"};
  age.measured = {{"age_seconds", 90}};
  report.checks = {lag, age};
  return report;
}

HttpRequest query(std::vector<std::pair<std::string, std::string>> pairs) {
  HttpRequest request;
  request.query = std::move(pairs);
  return request;
}

}  // namespace

TEST_CASE("probes: primary and secondary answer by role and by fitness", "[companion]") {
  StatusReport report = secondary();
  CHECK(secondary_probe({}, report).status == 200);
  CHECK(primary_probe({}, report).status == 503);
  CHECK(primary_probe({}, report).body == "this node is secondary, not primary\n");
  report.role = "primary";
  CHECK(primary_probe({}, report).status == 200);
  report.maintenance.on = true;
  CHECK(primary_probe({}, report).body == "maintenance mode\n");
  report.maintenance.on = false;
  report.checks[0].ok = false;
  report.checks[0].message = "late";
  CHECK(primary_probe({}, report).body == "late\n");
  report.role = "unknown";
  CHECK(primary_probe({}, report).status == 503);
  CHECK(secondary_probe({}, report).status == 503);
}

TEST_CASE("probes: lag and age are bounds on what the checks measured", "[companion]") {
  const StatusReport report = secondary();
  CHECK(secondary_probe(query({{"lag", "2kB"}, {"max-age", "90"}}), report).status == 200);
  CHECK(secondary_probe(query({{"lag", "2047"}}), report).body ==
        "the replication lag in bytes is 2048, more than 2047\n");
  CHECK(secondary_probe(query({{"max-age", "89"}}), report).status == 503);
  for (const char* wrong : {"", "x", "-1", "1 MB", "1mb", "99999999999999999999", "99999999TB"}) {
    INFO(wrong);
    CHECK(secondary_probe(query({{"lag", wrong}}), report).status == 400);
  }
  StatusReport blind = report;
  blind.checks.pop_back();
  CHECK(secondary_probe(query({{"max-age", "1000"}}), blind).body ==
        "the age of the last sync in seconds is not known: is the check sync-age on?\n");
}

TEST_CASE("probes: sizes are powers of 1024", "[companion]") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("7B") == 7);
  CHECK(parse_size("16kB") == 16384);
  CHECK(parse_size("1MB") == 1048576);
  CHECK(parse_size("2GB") == 2147483648);
  CHECK_FALSE(parse_size("MB"));
  CHECK_FALSE(parse_size("1KB"));
}

TEST_CASE("probes: a check that the role leaves out may be excluded all the same", "[companion]") {
  StatusReport report;
  report.role = "primary";
  report.left_out = {{"sync-age", "not on a primary"}};
  CHECK(readyz(query({{"exclude", "sync-age"}}), report).status == 200);
  CHECK(readyz(query({{"exclude", "replication"}}), report).status == 400);
}
