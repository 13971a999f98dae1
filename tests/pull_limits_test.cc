// SPDX-License-Identifier: MIT
// What a hostile primary can make of a few bytes on the wire: memory and time of the secondary. The
// server here is not ours.
#include <functional>
#include <string>

#include "base/io.h"
#include "tests/support/catch.h"
#include "tests/support/cluster.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Matchers::Contains;
using test::Cluster;

namespace {

Error answer_to(Cluster& cluster, const Welcome& welcome,
                const std::function<void(Channel&)>& serve) {
  SteadyClock clock;
  // What shrinks to a few bytes leaves the server late, and in a slow build very late.
  Deadlines patient;
  patient.idle = patient.first_byte = std::chrono::seconds(100);
  const auto error = test::thrown_by([&] {
    test::converse(
        [&](Channel& channel) {
          Receiver receiver(cluster.request, clock);
          receiver.run(channel);
        },
        [&](Channel& channel) {
          channel.greet();
          channel.accept();
          channel.welcome(welcome);
          test::thrown_by([&] {
            serve(channel);
            channel.receive();
          });
        },
        patient);
  });
  REQUIRE(error);
  return *error;
}

const Welcome kWelcome{kOurFeatures, "", {}};

Entries only(const Entry& entry) {
  Entries entries;
  entries.users = entries.groups = {{"", 0}};
  entries.list = {entry};
  return entries;
}

Entry directory(const std::string& path) {
  Entry entry;
  entry.type = EntryType::Dir;
  entry.mode = 0755;
  entry.path = path;
  return entry;
}

std::string number(std::size_t value) { return std::to_string(10'000'000 + value); }

}  // namespace

TEST_CASE("limits: paths that swell from a few bytes end the session, and take bounded memory",
          "[sync]") {
  Cluster cluster;
  std::string deep;
  while (deep.size() < 3900) deep += std::string(200, 'x') + "/";
  std::size_t at = 0;
  const Error error = answer_to(cluster, kWelcome, [&](Channel& channel) {
    for (int part = 0; part < 320; ++part) {  // small ones: a slow build is no silence
      Entries entries = only(directory(deep + number(at++)));
      while (entries.list.size() < 500) entries.list.push_back(directory(deep + number(at++)));
      channel.send(Manifest{entries, {}, {}, Part::More});
    }
  });
  INFO(error.text());
  CHECK(error.fault() == Fault::Refused);
  CHECK_THAT(error.text(), Contains("256 MiB"));
}

TEST_CASE("limits: names that are gone, problems and owners are counted over a session", "[sync]") {
  Cluster cluster;
  std::function<void(Channel&)> serve;
  std::string why;
  SECTION("problems") {
    why = "problems";
    serve = [](Channel& channel) {
      const std::vector<Problem> many(limits::kProblems, Problem{"p", "x"});
      for (int part = 0; part < 20; ++part) channel.send(Manifest{{}, {}, many, Part::More});
    };
  }
  SECTION("owners") {
    why = "owners";
    serve = [](Channel& channel) {
      for (std::uint32_t part = 0; part < 20; ++part) {
        Entries entries;
        entries.groups = {{"", 0}};
        for (std::uint32_t i = 0; i < limits::kPrincipals; ++i) {
          const std::uint32_t at = part * static_cast<std::uint32_t>(limits::kPrincipals) + i;
          entries.users.push_back({"", at});
          entries.list.push_back(directory(number(at)));
          entries.list.back().owner = i;
        }
        channel.send(Manifest{entries, {}, {}, Part::More});
      }
    };
  }
  SECTION("an order that only the whole would show") {
    why = "out of order";
    serve = [](Channel& channel) {
      for (;;) channel.send(Manifest{only(directory("a")), {}, {}, Part::More});
    };
  }
  const Error error = answer_to(cluster, kWelcome, serve);
  INFO(error.text());
  CHECK_THAT(error.text(), Contains(why));
}

TEST_CASE("limits: rules of the server that take for ever to match end the session", "[sync]") {
  Cluster cluster;
  for (std::size_t i = 0; i < 40; ++i) cluster.secondary.file(std::string(200, 'a') + number(i));
  std::string rule = "- ";
  for (int i = 0; i < 20; ++i) rule += "**?";
  Welcome welcome = kWelcome;
  welcome.filters.assign(8000, rule + "b**?");
  const Error error = answer_to(cluster, welcome, [](Channel& channel) {
    channel.send(Manifest{only(directory("")), {}, {}, Part::Complete});
  });
  INFO(error.text());
  CHECK(error.fault() == Fault::Protocol);
  CHECK_THAT(error.text(), Contains("too long to match"));
}
