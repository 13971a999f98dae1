// SPDX-License-Identifier: MIT
#include "companion/status_report.h"

#include <nlohmann/json.hpp>

#include "companion/make_checks.h"
#include "companion/mend.h"
#include "tests/support/catch.h"

using namespace xs;
using namespace std::chrono_literals;

namespace {

Reading reading(const std::string& name, const std::string& word) {
  Reading one;
  one.check = {name, word};
  one.known = one.ok = true;
  one.age = 1s;
  return one;
}

StatusReport broken() {
  StatusReport report;
  report.version = "9.9";
  report.role = "primary";
  report.checks = {reading("Global conf validity", "global-conf"),
                   reading("Server conf database status", "serverconf-db"),
                   reading("Proxy answers", "proxy-answers")};
  Reading& conf = report.checks[0];
  conf.ok = false;
  conf.message = "Global configuration is expired";
  conf.detail = "'/etc/xroad/globalconf' expired";
  conf.age = 12s;
  report.checks[1].detail = "DEV/COM/1/ss1 at 127.0.0.1";
  Reading& unknown = report.checks[2];
  unknown.ok = unknown.known = false;
  unknown.message = no_result_text("Proxy answers");
  report.left_out = {{"sync-age", "not on a primary"}};
  return report;
}

}  // namespace

TEST_CASE("status report: it answers whether the node works, why not, and what to do",
          "[companion]") {
  CHECK(report_text(broken(), 0) ==
        "cannot work: Global configuration is expired (and 1 more)\n"
        "\n"
        "  FAIL  Global conf validity         12 s ago  Global configuration is expired\n"
        "        why:  '/etc/xroad/globalconf' expired\n"
        "        mend: journalctl -u xroad-confclient; does it reach the central server, is the "
        "clock right (timedatectl)?\n"
        "  ok    Server conf database status  1 s ago\n"
        "        DEV/COM/1/ss1 at 127.0.0.1\n"
        "  ?     Proxy answers                Health check has no result yet for: Proxy answers\n"
        "  -     sync-age: not on a primary\n"
        "\n"
        "  role primary, companion 9.9\n");
  StatusReport report = broken();
  report.checks.resize(2);
  CHECK(report_text(report, 0).starts_with("cannot work: Global configuration is expired\n"));
  report.checks.erase(report.checks.begin());
  CHECK(report_text(report, 0).starts_with("can work: every check passes\n\n  ok "));
  report.maintenance.on = true;
  report.maintenance.since = 100;
  report.maintenance.reason = "upgrade";
  CHECK(report_text(report, 160)
            .starts_with("no work: in maintenance mode for 60 s: upgrade\n"
                         "  mend: xroad-companion maintenance off\n\n"));
}

TEST_CASE("status report: no byte of a check's words reaches a terminal as it is", "[companion]") {
  StatusReport report = broken();
  report.checks[0].message = "a\x1b[2Jb";
  report.checks[0].detail = "c\x07";
  report.left_out[0].why = "d\x1b";
  const std::string text = report_text(report, 0) + monitor_line(report);
  CHECK(text.find_first_of("\x1b\x07") == std::string::npos);
}

TEST_CASE("status report: every check has a mend, whatever it says", "[companion]") {
  NodeSettings settings;
  settings.role = "secondary";
  settings.hsm_enabled = true;
  settings.memory.threshold = 90;
  settings.on = {true, true, true, true, true, true, true};
  for (const auto& check : make_checks(settings)) {
    INFO(check->word());
    CHECK_FALSE(mend_for(check->word(), timed_out_text(check->name())).empty());
    CHECK_FALSE(mend_for(check->word(), "").empty());
  }
  CHECK(mend_for("of-another-version", "x").empty());
  CHECK(mend_for("auth-key", "No authentication key available. Signer might be down.") !=
        mend_for("auth-key", "No certificate chain available in authentication key."));
}

TEST_CASE("status report: the JSON has the mend and what is left out, and reads back",
          "[companion]") {
  const std::string json = report_json(broken());
  const auto object = nlohmann::json::parse(json);
  CHECK(object["checks"][0]["mend"] == mend_for("global-conf", ""));
  CHECK_FALSE(object["checks"][1].contains("mend"));
  CHECK(object["left_out"][0]["check"] == "sync-age");
  const StatusReport back = parse_report(json);
  CHECK(back.left_out == broken().left_out);
  CHECK(report_text(back, 0) == report_text(broken(), 0));
  // An older companion knows of nothing left out; a broken one is told.
  auto changed = object;
  changed.erase("left_out");
  CHECK(parse_report(changed.dump()).left_out.empty());
  changed["left_out"] = {{{"check", 1}}};
  CHECK_THROWS_AS(parse_report(changed.dump()), Error);
}
