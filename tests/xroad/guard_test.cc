// SPDX-License-Identifier: MIT
#include "sync/xroad/guard.h"

#include "sync/xroad/preset.h"
#include "tests/support/catch.h"
#include "tests/support/cluster.h"
#include "tests/support/plans.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

std::string name(int i) { return "conf.d/" + std::to_string(100 + i); }

std::vector<Item> files(int count) {
  std::vector<Item> items;
  for (int i = 0; i < count; ++i) items.push_back(file(name(i)));
  return items;
}

GuardRules guards() { return find_preset("xroad")->guard; }

std::optional<Error> verdict(std::vector<Item> before, std::vector<Item> after,
                             const GuardRules& rules = guards(), bool remove = true) {
  const Entries local = tree(std::move(before));
  const Entries target = tree(std::move(after));
  PlanRules plan_rules = rules_for();
  plan_rules.remove = remove;
  const Plan plan = make_plan(local, target, plan_rules);
  return thrown_by([&] { approve_plan(plan, local, target, {}, rules); });
}

// `gone` of `ours` files go.
bool refused(int gone, int ours, const GuardRules& rules = guards()) {
  const auto error = verdict(files(ours), files(ours - gone), rules);
  if (error) CHECK(error->fault() == Fault::Refused);
  return error.has_value();
}

}  // namespace

TEST_CASE("guard: it takes more than 30 percent and more than 10 files together", "[xroad]") {
  CHECK_FALSE(refused(10, 20));  // half of them, but few
  CHECK(refused(11, 20));
  CHECK_FALSE(refused(30, 100));  // exactly 30 percent
  CHECK(refused(31, 100));
  CHECK_FALSE(refused(99, 1000));
  CHECK_FALSE(refused(0, 0));
}

TEST_CASE("guard: the limits are those of the configuration", "[xroad]") {
  GuardRules rules = guards();
  rules.percent = 50;
  rules.count = 2;
  CHECK_FALSE(refused(5, 10, rules));
  CHECK(refused(6, 10, rules));
  CHECK_FALSE(refused(2, 3, rules));
  rules.deletions = false;
  CHECK_FALSE(refused(9, 10, rules));
  CHECK(refused(10, 10, rules));
  rules.loss = false;
  CHECK_FALSE(refused(10, 10, rules));
}

TEST_CASE("guard: a refusal has the numbers, the first paths and how to allow it once", "[xroad]") {
  const auto error = verdict(files(20), files(2));
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("18 of our 20 files") && Contains("30 %"));
  CHECK_THAT(error->text(), Contains("'conf.d/102', 'conf.d/103'") && Contains("and 13 more"));
  CHECK_THAT(error->text(), Contains("nothing was changed") && Contains("--allow-deletes"));
}

TEST_CASE("guard: a name in a refusal cannot steer a terminal", "[xroad]") {
  std::vector<Item> before = files(12);
  before.push_back(file("a\x1B[2J"));
  const auto error = verdict(before, files(1));
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("a\\#033[2J") && !Contains("\x1B"));
}

TEST_CASE("guard: a source without any file is not mounted, however few we have", "[xroad]") {
  const auto error = verdict({file("a"), dir("d")}, {dir("d")});
  REQUIRE(error);
  CHECK(error->fault() == Fault::Refused);
  CHECK_THAT(error->text(), Contains("mounted"));
  CHECK_FALSE(verdict({file("a")}, {dir("d")}, guards(), false));  // nothing is deleted
}

TEST_CASE("guard: a keyconf that we have and the source has not is refused", "[xroad]") {
  const Item keyconf = file("signer/keyconf.xml");
  const auto error = verdict({keyconf, file("a")}, {file("a")});
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("'signer/keyconf.xml'"));
  CHECK(verdict({keyconf, file("a")}, {dir("signer/keyconf.xml"), file("a")}));
  CHECK_FALSE(verdict({keyconf, file("a")}, {file("a")}, guards(), false));
  CHECK_FALSE(verdict({file("a")}, {file("a")}));
  CHECK_FALSE(verdict({file("a")}, {file("a"), keyconf}));
}

TEST_CASE("guard: what is unreadable in or above the signer's directory stops the run", "[xroad]") {
  const auto stopped = [](const std::string& path) {
    const auto error = thrown_by([&] { check_required({{path, "open: no"}}, guards()); });
    if (error) CHECK(error->fault() == Fault::Partial);
    return error.has_value();
  };
  CHECK(stopped("signer"));
  CHECK(stopped("signer/keyconf.xml"));
  CHECK(stopped("signer/softtoken/AA.p12"));
  CHECK(stopped(""));
  CHECK_FALSE(stopped("signers"));
  CHECK_FALSE(stopped("conf.d/local.ini"));
  CHECK_FALSE(thrown_by([] { check_required({}, guards()); }));
}

TEST_CASE("guard: a changed PIN is announced, anything else about the token is not", "[xroad]") {
  const std::string pin = "signer/softtoken/.softtoken.p12";
  const auto notice = [&](std::vector<Item> before, std::vector<Item> after) {
    return token_notice(make_plan(tree(before), tree(after), rules_for()).changes);
  };
  CHECK_THAT(notice({file(pin, "1")}, {file(pin, "2")}), Contains("log in") && Contains("PIN"));
  CHECK_THAT(notice({}, {file(pin, "1")}), Contains("log in"));
  CHECK_THAT(notice({file(pin, "1")}, {dir("signer/softtoken")}), Contains("gone"));
  CHECK(notice({file(pin, "1").mode(0640)}, {file(pin, "1").mode(0600)}).empty());
  CHECK(notice({file(pin, "1")}, {file(pin, "1"), file("signer/softtoken/AA.p12")}).empty());
}

TEST_CASE("guard: a refused pull leaves every file where it was", "[xroad]") {
  Cluster cluster;
  for (int i = 0; i < 20; ++i) cluster.primary.file(name(i), "x");
  cluster.pull();
  cluster.request.approve = [](const Plan& plan, const Entries& local, const Entries& target,
                               const std::vector<Problem>& problems) {
    approve_plan(plan, local, target, problems, guards());
  };
  for (int i = 0; i < 11; ++i) cluster.primary.remove(name(i));
  const Error error = cluster.failure();
  CHECK(error.fault() == Fault::Refused);
  CHECK_THAT(error.text(), Contains("11 of our 20 files"));
  cluster.primary.file(name(0), "x");
  CHECK(cluster.pull().changed);
  cluster.require_same();
}

TEST_CASE("guard: a signer file that the source cannot read stops the pull, another one does not",
          "[xroad]") {
  TempTree source;
  source.file("a", "1", 0644).file("secret", "s", 0000).file("signer/x", "x", 0644);
  const std::string path = source.path();
  const auto verdict = [&path] {
    ScanRequest request;
    request.options.scan = {Scan::Recursive};
    const ScanResult seen = scan(Dir::open_root(path), request);
    const auto error = thrown_by([&] { check_required(seen.problems, guards()); });
    return seen.problems.empty() ? 1 : error ? 2 : 0;
  };
  CHECK(as_nobody(verdict) == 0);
  source.mode("signer/x", 0000);
  CHECK(as_nobody(verdict) == 2);
}
