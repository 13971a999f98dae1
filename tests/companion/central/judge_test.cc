// SPDX-License-Identifier: MIT
// What is thought of the answers of Central Servers, without any.
#include <algorithm>
#include <random>

#include "base/text.h"
#include "companion/replication/api_key.h"
#include "companion/replication/central_judge.h"
#include "tests/support/catch.h"
#include "tests/support/setting.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::thrown_by;

namespace {

constexpr std::int64_t kNow = 1'800'000'000;

CentralNode node(const std::string& name, const std::string& status = "OK", std::int64_t age = 12) {
  return {name, name + ".example", utc_text(kNow - age), kNow - age, status};
}

CentralAnswer answer(const std::string& self, std::vector<CentralNode> nodes) {
  CentralAnswer made;
  made.where = self + ":4000";
  made.ha_configured = true;
  made.name = self;
  made.all_nodes_ok = std::all_of(nodes.begin(), nodes.end(),
                                  [](const CentralNode& one) { return one.status == "OK"; });
  made.nodes = std::move(nodes);
  return made;
}

CentralVerdict judged(std::vector<CentralAnswer> answers) {
  CentralReport report;
  report.answers = std::move(answers);
  return judge_central(report, kNow);
}

// Its first finding, which is the worst.
std::string worst(const CentralVerdict& verdict) {
  return std::string(health_word(verdict.health)) + " " + verdict.findings.at(0).text;
}

std::string all(const CentralVerdict& verdict) {
  std::string text;
  for (const Judgement& finding : verdict.findings) {
    text += std::string(health_word(finding.health)) + " " + finding.text + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("central judge: two servers that say the same are fine", "[companion][central]") {
  const std::vector<CentralNode> nodes{node("a"), node("b", "OK", 70)};
  const auto verdict = judged({answer("a", nodes), answer("b", nodes)});
  CHECK(all(verdict) == "OK 2 of 2 nodes of the Central Server are OK\n");
  CHECK(verdict.nodes_ok == 2);
}

TEST_CASE("central judge: servers that differ look at two databases", "[companion][central]") {
  const CentralAnswer base = answer("a", {node("a"), node("b")});
  // A state.
  CHECK_THAT(all(judged({base, answer("b", {node("a"), node("b", "UNKNOWN")})})),
             Contains("WARNING the Central Servers differ about node 'b': a:4000 says OK, b:4000 "
                      "says UNKNOWN: do they use one database, and are their clocks right?") &&
                 Contains("1 of 2 nodes"));
  // A node that one does not know, whichever is first.
  for (const bool swap : {false, true}) {
    CentralAnswer less = answer("b", {node("b")});
    const auto verdict = swap ? judged({less, base}) : judged({base, less});
    CHECK_THAT(worst(verdict), Contains("WARNING the Central Servers differ about node 'a': a:4000 "
                                        "says OK, 1 of them without it: do they use"));
  }
  // A time: as far as a generation apart is no difference.
  CHECK(judged({base, answer("b", {node("a", "OK", 600), node("b")})}).health == Health::Ok);
  CHECK_THAT(
      worst(judged({base, answer("b", {node("a", "OK", 5000), node("b")})})),
      Contains("WARNING the Central Servers differ by 83 min about when node 'a' generated"));
  // A name that both have.
  CHECK_THAT(worst(judged({base, base})),
             Contains("WARNING a:4000 and a:4000 both call themselves 'a'"));
  // One that does not answer says nothing about the nodes.
  CentralAnswer down;
  down.where = "b:4000";
  down.trouble = Error(Fault::Network, "Central Server b:4000: no connection");
  CHECK(all(judged({base, down})) ==
        "UNKNOWN Central Server b:4000: no connection\n"
        "OK 2 of 2 nodes of the Central Server are OK\n");
}

TEST_CASE("central judge: clocks that differ are said", "[companion][central]") {
  CentralAnswer ahead = answer("a", {node("a")});
  ahead.clock_ahead = 300;
  CHECK_THAT(worst(judged({ahead})),
             Contains("WARNING the clock of Central Server a:4000 is 5 min ahead of this node's"));
  ahead.clock_ahead = -300;
  CHECK_THAT(worst(judged({ahead})), Contains("is 5 min behind this node's"));
  ahead.clock_ahead = 59;
  CHECK(judged({ahead}).health == Health::Ok);
  CHECK_THAT(worst(judged({answer("a", {node("a", "OK", -600)})})),
             Contains("WARNING node 'a' generated its configuration 10 min from now"));
}

TEST_CASE("central judge: what is missing or contradicts itself is not OK",
          "[companion][central]") {
  const auto changed = [](auto&& change) {
    CentralAnswer one = answer("a", {node("a"), node("b")});
    change(one);
    const auto verdict = judged({one});
    CHECK(verdict.health == Health::Unknown);
    return all(verdict);
  };
  using A = CentralAnswer;
  CHECK_THAT(changed([](A& a) { a.nodes[1].status.clear(); }), Contains("no state is told"));
  CHECK_THAT(changed([](A& a) { a.nodes[1].status = "ok"; }), Contains("'ok', which is no state"));
  CHECK_THAT(changed([](A& a) {
               a.nodes[1].generated_at.reset();
               a.nodes[1].generated.clear();
             }),
             Contains("node 'b' (b.example): OK, but its configuration was generated never"));
  CHECK_THAT(changed([](A& a) {
               a.nodes[1].generated_at.reset();
               a.nodes[1].generated = "soon\n";
             }),
             Contains("at no time: 'soon\\#012'"));
  CHECK_THAT(changed([](A& a) { a.all_nodes_ok.reset(); }), Contains("whether all nodes are OK"));
  CHECK_THAT(changed([](A& a) { a.all_nodes_ok = false; }), Contains("lists none that is not"));
  CHECK_THAT(changed([](A& a) { a.name = "c"; }), Contains("calls itself 'c', which is not among"));
  CHECK_THAT(changed([](A& a) { a.name.clear(); }), Contains("does not say which node it is"));
  CHECK_THAT(changed([](A& a) { a.nodes[1].name.clear(); }), Contains("a node without a name"));
  CHECK_THAT(changed([](A& a) { a.nodes[1] = a.nodes[0]; }), Contains("lists node 'a' twice"));
  CHECK_THAT(changed([](A& a) { a.ha_configured.reset(); }), Contains("does not say whether high"));
  CHECK_THAT(changed([](A& a) { a.nodes.clear(); }), Contains("lists no node"));
  CHECK(judge_central({}, kNow).health == Health::Unknown);
}

TEST_CASE("central server: an answer that is broken anywhere is refused or judged",
          "[companion][central]") {
  const std::string good =
      R"({"is_ha_configured":true,"node_name":"a","nodes":[{"node_name":"a","node_address":"x",)"
      R"("configuration_generated":"2027-01-15T08:00:00.000Z","status":"OK"}],)"
      R"("all_nodes_ok":true,"more":[[[{}]]]})";
  const CentralAnswer whole = parse_central_answer(good);
  CHECK(whole.nodes.at(0).generated_at == 1'800'000'000);
  CHECK(judged({whole}).health == Health::Ok);
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto error = thrown_by([&] { parse_central_answer(good.substr(0, size)); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Protocol);
  }
  const auto seed = test::random_seed();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (int n = 0; n < 3; ++n) bad[random() % bad.size()] = static_cast<char>(random());
    try {
      CentralReport report;
      report.answers.push_back(parse_central_answer(bad));
      const CentralVerdict verdict = judge_central(report, kNow);
      const std::string text = central_text(report, kNow) + all(verdict);
      REQUIRE(is_utf8(text));
      REQUIRE(text.find('\x1b') == text.npos);
      REQUIRE_FALSE(verdict.findings.empty());
    } catch (const Error& error) {
      REQUIRE(error.fault() == Fault::Protocol);
    }
  }
  // Nesting is no way to exhaust the stack.
  std::string deep = "{\"nodes\":";
  deep.append(60'000, '[');
  CHECK(thrown_by([&] { parse_central_answer(deep); })->fault() == Fault::Protocol);
  deep = R"({"nodes":[],"x":)" + std::string(30'000, '[') + std::string(30'000, ']') + "}";
  CHECK(parse_central_answer(deep).nodes.empty());
}

TEST_CASE("central server: a key is hidden also where it is cut short", "[companion][central]") {
  const test::TempDir dir;
  const std::string text = "d56e1ca7-4134-4ed4-8030-5f330bdb602a";
  const ApiKey key(dir.write("key", text + "\n"));
  CHECK(key.authorization() == "X-Road-ApiKey token=" + text);
  CHECK(key.hide("a " + text + " b " + text) == "a *** b ***");
  CHECK(key.hide("cut " + text.substr(0, 20)) == "cut ***");
  CHECK(key.hide(text.substr(0, 8) + "x") == "***x");
  CHECK(key.hide("d56e1ca and nothing") == "d56e1ca and nothing");
}

TEST_CASE("central server: where it is asked can be written in many ways", "[companion][central]") {
  const auto at = [](const std::string& text) {
    const HttpTarget target = parse_central_server(text);
    CHECK(target.path == "/api/v1/system/high-availability-cluster/status");
    return target.host + " " + std::to_string(target.port);
  };
  CHECK(at("cs1") == "cs1 4000");
  CHECK(at("cs1:443") == "cs1 443");
  CHECK(at("https://cs1.example") == "cs1.example 4000");
  CHECK(at("https://cs1.example:4001/") == "cs1.example 4001");
  CHECK(at("[::1]") == "::1 4000");
  CHECK(at("https://[fe80::1]:4001") == "fe80::1 4001");
  CHECK(at("fe80::1") == "fe80::1 4000");
  CHECK(at("10.0.0.1:65535") == "10.0.0.1 65535");
}
