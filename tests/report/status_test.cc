// SPDX-License-Identifier: MIT
#include "sync/report/status.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "sync/report/metrics.h"
#include "sync/report/status_text.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

namespace xs {
namespace {

using test::TempDir;

constexpr WallSeconds kNow = 1'700'000'000;

StatusRun run_at(WallSeconds at, std::uint64_t changed = 0) {
  StatusRun run;
  run.at = at;
  run.duration_ms = 80;
  run.counts.total = 250;
  run.counts.changed = changed;
  run.counts.sent = 100;
  run.counts.received = 200;
  return run;
}

Status fresh() {
  Status status;
  status.version = "1.0";
  status.node = "ss2";
  status.primary = "ss1.example";
  return after_success(status, run_at(kNow - 12), std::string(32, 'a'), 3);
}

Status failed(WallSeconds success, WallSeconds now = kNow) {
  Status status = fresh();
  status.last_success->at = success;
  return after_failure(status, run_at(now),
                       Error(Fault::ConnectTimeout, "connect timeout (5 s) to ss1.example:22"));
}

StatusFile found(Status status) { return {StatusRead::Found, "", std::move(status)}; }
std::string text(const Status& status) { return status_text(found(status), kNow, {}); }
StatusCheck check(const Status& status) { return check_status(found(status), kNow, {}); }

Status full() {
  Status status = failed(kNow - 100);
  status.paused = StatusPause{"root", "upgrade \"7.8.0\"\n", kNow - 5, kNow + 60};
  status.pin_changed = kNow;
  status.next_run = kNow + 41;
  return status;
}

TEST_CASE("status: it is read as it was written, by all, and replaced whole", "[report]") {
  const TempDir dir;
  write_status(dir / "status.json", full());
  const StatusFile file = read_status(dir / "status.json");
  CHECK(file.read == StatusRead::Found);
  CHECK(file.why == "");
  CHECK(file.status == full());
  struct stat st {};
  REQUIRE(::stat((dir / "status.json").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777U) == 0644);
  write_status(dir / "status.json", fresh());
  CHECK(read_status(dir / "status.json").status == fresh());
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("status: a write that fails leaves the old one and nothing else", "[report]") {
  const TempDir dir;
  write_status(dir / "status.json", fresh());
  std::filesystem::create_directory(dir / "taken");
  CHECK(test::thrown_by([&] { write_status(dir / "taken", fresh()); })->fault() == Fault::Io);
  CHECK(test::thrown_by([&] { write_status(dir / "absent/status.json", fresh()); }));
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 2);
}

TEST_CASE("status: a run that fails keeps what the last good one was", "[report]") {
  const Status good = fresh();
  const Status bad = after_failure(good, run_at(kNow), Error(Fault::Auth, "refused"));
  CHECK(bad.last_success == good.last_success);
  CHECK(bad.generation == good.generation);
  CHECK(bad.last_run->at == kNow);
  CHECK(bad.failure->kind == "auth");
  CHECK(bad.failure->exit == 42);
  CHECK(bad.traffic.sent == 200);
  const Status paused = after_pause(bad, run_at(kNow + 1), {"root", "", kNow, {}});
  CHECK(paused.last_success == good.last_success);
  CHECK(paused.failure == bad.failure);
  const Status again = after_success(paused, run_at(kNow + 2), "b", 4);
  CHECK_FALSE(again.failure);
  CHECK_FALSE(again.paused);
}

TEST_CASE("status: absent, broken, strange and large files are values", "[report]") {
  const TempDir dir;
  CHECK(read_status(dir / "absent").read == StatusRead::Absent);
  const auto of = [](std::string_view json) { return parse_status(json).read; };
  CHECK(of("") == StatusRead::Broken);
  CHECK(of("{") == StatusRead::Broken);
  CHECK(of("[]") == StatusRead::Broken);
  CHECK(of("{}") == StatusRead::Broken);
  CHECK(of("{\"v\":\"1\"}") == StatusRead::Broken);
  CHECK(of("{\"v\":1}") == StatusRead::Found);
  CHECK(of("{\"v\":2,\"last_run\":7}") == StatusRead::OtherVersion);
  CHECK(of("{\"v\":1,\"unknown\":[{}]}") == StatusRead::Found);
  CHECK(of("{\"v\":1,\"node\":7}") == StatusRead::Broken);
  CHECK(of("{\"v\":1,\"kept\":-1}") == StatusRead::Broken);
  CHECK(of("{\"v\":1,\"kept\":1e9}") == StatusRead::Broken);
  CHECK(of("{\"v\":1,\"failure\":{\"exit\":99999999999}}") == StatusRead::Broken);
  CHECK(of("{\"v\":1,\"last_run\":{\"at\":18446744073709551615}}") == StatusRead::Broken);
  CHECK(of("{\"v\":1,\"paused\":[]}") == StatusRead::Broken);
  CHECK(of("{\"v\":1,\"next_run\":{}}") == StatusRead::Broken);
  CHECK(of(std::string(50'000, '[')) == StatusRead::Broken);
  dir.write("large", std::string(70'000, ' '));
  CHECK(read_status(dir / "large").read == StatusRead::Unreadable);
  CHECK(read_status(dir.path()).read == StatusRead::Unreadable);
}

TEST_CASE("status: no cut of the file is taken for a whole one", "[report]") {
  const std::string whole = to_json(full());
  const std::size_t end = whole.find_last_of('}');
  for (std::size_t size = 0; size <= end; ++size) {
    CHECK(parse_status(std::string_view(whole).substr(0, size)).read == StatusRead::Broken);
  }
}

TEST_CASE("status: no byte of a text reaches a terminal", "[report]") {
  Status status = full();
  status.node = "a\x1b[31m\n\xff";
  status.paused->reason = "\xe2\x80\xaeovertaken";
  status.failure->text = "x\ny";
  const StatusFile file = parse_status(to_json(status));
  CHECK(file.read == StatusRead::Found);
  for (const std::string& shown :
       {status_text(file, kNow, {}), check_status(file, kNow, {}).line, to_json(status)}) {
    CHECK(shown.find('\x1b') == std::string::npos);
    CHECK(shown.find("\xe2\x80\xae") == std::string::npos);
  }
}

TEST_CASE("status: the line says how the node is, in its first word", "[report]") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  CHECK(text(fresh()) ==
        "ok  ss2 <- ss1.example  generation aaaaaaaaaaaa  last sync 12 s ago, took 0.08 s, 0 "
        "changes\n");
  Status stale = failed(kNow - 480);
  stale.next_run = kNow + 41;
  CHECK(text(stale) ==
        "stale  ss2 <- ss1.example  last good sync 8 min ago: connect timeout (5 s) to "
        "ss1.example:22 (code 35)   [next try in 41 s]\n");
  Status silent = fresh();
  silent.last_success->at = silent.last_run->at = kNow - 3 * 86400;
  CHECK(text(silent) == "stale  ss2 <- ss1.example  last good sync 3 days ago: no run since\n");
  CHECK(text(failed(kNow - 60)).rfind("failed  ss2 <- ss1.example  last good sync 60 s ago: ", 0) ==
        0);
  Status never = failed(kNow);
  never.last_success.reset();
  CHECK(text(never).rfind("failed  ss2 <- ss1.example  never synced: connect timeout", 0) == 0);
  Status paused = fresh();
  paused.paused = StatusPause{"root", "upgrade 7.8.0", kNow - 600, kNow + 7200};
  CHECK(text(paused) ==
        "paused  ss2  since 22:03 by root: \"upgrade 7.8.0\"  until 2023-11-15 00:13   [resume: "
        "xroad-sync resume]\n");
  paused.paused->until = kNow - 1;
  CHECK(text(paused).rfind("ok  ", 0) == 0);
  CHECK(status_text({StatusRead::Absent, "'f' is not there", {}}, kNow, {}) ==
        "unknown  'f' is not there\n");
  Status future = fresh();
  future.last_success->at = kNow + 1000;
  CHECK(text(future).rfind("unknown  ", 0) == 0);
}

TEST_CASE("status: a changed PIN is news for a day", "[report]") {
  Status status = fresh();
  status.pin_changed = kNow - 60;
  CHECK(text(status).find("\nnotice  the PIN") != std::string::npos);
  CHECK(check(status).code == 1);
  status.pin_changed = kNow - 90'000;
  CHECK(text(status).find("notice") == std::string::npos);
  CHECK(check(status).code == 0);
}

TEST_CASE("status: the check has Nagios' codes and words", "[report]") {
  CHECK(check(fresh()).code == 0);
  CHECK(check(fresh()).line ==
        "XROAD_SYNC OK - ok ss2 <- ss1.example  generation aaaaaaaaaaaa  last sync 12 s ago, took "
        "0.08 s, 0 changes | age=12s;300;900;0 duration=0.080s changes=0\n");
  CHECK(check(failed(kNow - 60)).code == 1);
  CHECK(check(failed(kNow - 480)).code == 1);
  CHECK(check(failed(kNow - 901)).code == 2);
  CHECK(check(failed(kNow - 901)).line.rfind("XROAD_SYNC CRITICAL - stale ", 0) == 0);
  Status never = failed(kNow);
  never.last_success.reset();
  CHECK(check(never).code == 2);
  Status paused = failed(kNow - 5000);
  paused.paused = StatusPause{"", "", kNow - 60, {}};
  CHECK(check(paused).code == 0);
  paused.paused->since = kNow - 100'000;
  CHECK(check(paused).code == 1);
  CHECK(check_status({StatusRead::Broken, "a|b", {}}, kNow, {}).code == 3);
  CHECK(check_status({StatusRead::Broken, "a|b", {}}, kNow, {}).line ==
        "XROAD_SYNC UNKNOWN - unknown a/b\n");
}

// ---- metrics

// A reader of the text form: names, HELP and TYPE before each, label values quoted.
std::map<std::string, std::string> samples_of(const std::string& text) {
  static const std::regex sample(
      R"re(([a-z_]+)(\{[a-z]+="(?:[^"\\]|\\.)*"(?:,[a-z]+="(?:[^"\\]|\\.)*")*\})? (-?[0-9.]+))re");
  std::map<std::string, std::string> samples;
  std::set<std::string> helped;
  std::map<std::string, std::string> types;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string mark, kind, name, rest;
    words >> mark >> kind >> name;
    std::smatch found;
    if (kind == "HELP" && mark == "#") {
      CHECK(helped.insert(name).second);
    } else if (kind == "TYPE" && mark == "#") {
      words >> rest;
      types[name] = rest;
    } else {
      INFO(line);
      REQUIRE(std::regex_match(line, found, sample));
      CHECK(helped.count(found[1]) == 1);
      CHECK(types.count(found[1]) == 1);
      const std::string metric = found[1];
      const bool total = metric.size() > 6 && metric.substr(metric.size() - 6) == "_total";
      CHECK((types[metric] == "counter") == (total && metric != "xroad_sync_files_total"));
      CHECK(samples.emplace(metric + std::string(found[2]), found[3]).second);
    }
  }
  return samples;
}

TEST_CASE("metrics: the text form holds what the status does", "[report]") {
  const auto good = samples_of(metrics_text(fresh(), 1));
  CHECK(good.at("xroad_sync_last_success_timestamp_seconds") == std::to_string(kNow - 12));
  CHECK(good.at("xroad_sync_last_run_status{code=\"0\"}") == "1");
  CHECK(good.at("xroad_sync_duration_seconds") == "0.080");
  CHECK(good.at("xroad_sync_build_info{version=\"1.0\",protocol=\"1\"}") == "1");
  CHECK(good.at("xroad_sync_bytes_received_total") == "200");
  CHECK(good.at("xroad_sync_files_total") == "250");
  CHECK(good.at("xroad_sync_paused") == "0");
  const auto bad = samples_of(metrics_text(full(), 1));
  CHECK(bad.at("xroad_sync_paused") == "1");
  CHECK(bad.at("xroad_sync_last_success_timestamp_seconds") == std::to_string(kNow - 100));
  CHECK(
      samples_of(metrics_text(failed(kNow - 1), 1)).at("xroad_sync_last_run_status{code=\"35\"}") ==
      "1");
  CHECK_FALSE(samples_of(metrics_text({}, 1)).count("xroad_sync_last_success_timestamp_seconds"));
}

TEST_CASE("metrics: no text breaks a label", "[report]") {
  Status status = fresh();
  status.version = "1\"} evil 1\n#\\";
  CHECK_NOTHROW(samples_of(metrics_text(status, 1)));
  CHECK(metrics_text(status, 1).find("\n#\\") == std::string::npos);
}

}  // namespace
}  // namespace xs
