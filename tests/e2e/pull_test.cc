// SPDX-License-Identifier: MIT
// The program that an operator runs, over a real sshd: what it does, says and leaves behind.
#include <regex>
#include <set>

#include "tests/support/catch.h"
#include "tests/support/guide.h"
#include "tests/support/nodes.h"

using Catch::Contains;
using Catch::Matches;
using Cluster = xs::test::Nodes;
using xs::test::Primary;
using xs::test::Ran;
using xs::test::Secondary;

namespace {

// The guide's own words, with another program in front.
std::vector<std::string> guide(const Secondary& second) {
  return xs::test::guide_words(second.shell(), second.file("guide.log"), second.source(),
                               second.etc.path() + "/");
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("e2e: the guide's command line works word for word", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  const Ran first = second.bare(guide(second));
  INFO(first.out << first.err);
  REQUIRE(first.code == 0);
  CHECK(first.out.empty());
  CHECK(second.etc.read("signer/keyconf.xml") == "<keyConf/>\n");
  CHECK(second.etc.read("ssl/internal.key") == "secret");
  CHECK((second.etc.stat("ssl/internal.key").st_mode & 07777) == 0660);
  CHECK_THAT(second.etc.read("conf.d/node.ini"), Contains("slave"));
  CHECK_THAT(second.etc.read("db.properties"), Contains("secondary"));

  const auto log = lines_of(second.dir.read("guide.log"));
  const std::string stamp = R"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\d+\] )";
  REQUIRE(log.size() > 3);
  CHECK_THAT(log.front(), Matches(stamp + "receiving file list"));
  CHECK_THAT(log.back(), Matches(stamp + R"(sent \d+ bytes  received \d+ bytes  total size \d+)"));
  CHECK_THAT(second.dir.read("guide.log"), Contains(">f+++++++++ signer/keyconf.xml"));

  const Ran again = second.bare(guide(second));
  REQUIRE(again.code == 0);
  CHECK(lines_of(second.dir.read("guide.log")).size() == log.size() + 2);
}

TEST_CASE("e2e: the guide's first sync works word for word", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  const Ran ran =
      second.bare({"-e", second.shell(), "-avz", "--delete", "--exclude", "db.properties",
                   "--exclude", "/postgresql", "--exclude", "/conf.d/node.ini", "--exclude",
                   "/gpghome", second.source(), second.etc.path() + "/"});
  INFO(ran.out << ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.out, Contains("signer/keyconf.xml") && Contains("total size is"));
  CHECK(second.etc.exists("signer/softtoken/AA.p12"));
}

TEST_CASE("e2e: without an argument it does what the configuration says", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  REQUIRE(second.run().code == 0);
  CHECK(second.etc.exists("signer/softtoken/AA.p12"));
  cluster.primary.etc.remove("signer/softtoken/AA.p12").file("signer/softtoken/BB.p12", "key bb");
  const Ran ran = second.run({"-i"});
  INFO(ran.out << ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.out, Contains(">f+++++++++ signer/softtoken/BB.p12") &&
                          Contains("*deleting   signer/softtoken/AA.p12"));
  CHECK_FALSE(second.etc.exists("signer/softtoken/AA.p12"));
}

TEST_CASE("e2e: a dry run says what a run would do, and does nothing", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  const Ran dry = second.run({"-ni"});
  INFO(dry.out << dry.err);
  REQUIRE(dry.code == 0);
  CHECK_FALSE(second.etc.exists("signer"));
  CHECK(second.run({"-i"}).out == dry.out);
  CHECK(second.run({"-i"}).out.empty());
}

TEST_CASE("e2e: --detailed-exitcode tells a change from none", "[e2e]") {
  Cluster cluster;
  CHECK(cluster.second.run({"-n", "--detailed-exitcode"}).code == 100);
  CHECK(cluster.second.run({"--detailed-exitcode"}).code == 100);
  CHECK(cluster.second.run({"--detailed-exitcode"}).code == 0);
}

TEST_CASE("e2e: what must never leave a node does not, and is not deleted", "[e2e]") {
  Cluster cluster;
  cluster.primary.etc.file("conf.d/x.tmp", "t").file("gpghome/key", "k").file("globalconf/c", "c");
  cluster.second.etc.file("globalconf/ours", "o");
  REQUIRE(cluster.second.run({"--delete-excluded"}).code == 0);
  CHECK_FALSE(cluster.second.etc.exists("conf.d/x.tmp"));
  CHECK_FALSE(cluster.second.etc.exists("gpghome"));
  CHECK_FALSE(cluster.second.etc.exists("globalconf/c"));
  CHECK(cluster.second.etc.read("globalconf/ours") == "o");
  CHECK_THAT(cluster.second.etc.read("db.properties"), Contains("secondary"));
}

TEST_CASE("e2e: diff shows what would change, and no secret", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  REQUIRE(second.run().code == 0);
  CHECK(second.run({"diff"}).out == "no difference\n");
  cluster.primary.etc.file("conf.d/local.ini", "[proxy]\nport=1\npassword=hunter2\n", 0640)
      .file("signer/softtoken/AA.p12", "another key", 0640)
      .file("new.conf", "brand new\n");
  const Ran ran = second.run({"diff", "--detailed-exitcode"});
  INFO(ran.out << ran.err);
  CHECK(ran.code == 100);
  CHECK_THAT(ran.out, Contains("+port=1") && Contains("+brand new"));
  CHECK_THAT(ran.out, !Contains("hunter2") && !Contains("another key"));
  CHECK_FALSE(second.etc.exists("new.conf"));
  CHECK(second.etc.read("signer/softtoken/AA.p12") == "key aa");
}

TEST_CASE("e2e: verify compares contents, whatever size and time say", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  REQUIRE(second.run().code == 0);
  const Ran good = second.run({"verify"});
  INFO(good.out << good.err);
  CHECK(good.code == 0);
  CHECK_THAT(good.out, Contains("verified") && Contains("generation"));
  const struct stat before = second.etc.stat("ssl/internal.key");
  second.etc.file("ssl/internal.key", "sEcret", 0660)
      .mtime("ssl/internal.key", before.st_mtim.tv_sec * 1'000'000'000 + before.st_mtim.tv_nsec);
  const Ran bad = second.run({"verify"});
  CHECK(bad.code == 43);
  CHECK_THAT(bad.out, Contains("ssl/internal.key"));
  CHECK(second.etc.read("ssl/internal.key") == "sEcret");
}

TEST_CASE("e2e: generations are kept, and a rollback brings one back", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  REQUIRE(second.run().code == 0);
  cluster.primary.etc.file("conf.d/local.ini", "broken", 0640).remove("ssl/internal.key");
  REQUIRE(second.run().code == 0);
  const Ran list = second.run({"generations"});
  INFO(list.out << list.err);
  CHECK(list.code == 0);
  CHECK(lines_of(list.out).size() == 4);
  const Ran back = second.run({"rollback"});
  INFO(back.out << back.err);
  REQUIRE(back.code == 0);
  CHECK_THAT(second.etc.read("conf.d/local.ini"), Contains("pooled"));
  CHECK(second.etc.read("ssl/internal.key") == "secret");
  CHECK(second.run({"rollback", "99"}).code == 1);
}

TEST_CASE("e2e: status tells how the last run went", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  CHECK_THAT(second.run({"status"}).out, Contains("unknown"));
  CHECK(second.run({"status", "--check"}).code == 3);
  REQUIRE(second.run().code == 0);
  const Ran good = second.run({"status"});
  CHECK_THAT(good.out, Contains("ok"));
  CHECK(second.run({"status", "--check"}).code == 0);
  CHECK_THAT(second.run({"status", "--json"}).out, Contains("\"generation\""));
  cluster.primary.etc.file("conf.d/node.ini", "[node]\ntype=slave\n", 0640);
  CHECK(second.run().code == 46);
  CHECK_THAT(second.run({"status"}).out, Contains("role") || Contains("master"));
}

TEST_CASE("e2e: events are one JSON object a line", "[e2e]") {
  Cluster cluster;
  const Ran ran = cluster.second.run({"--json"});
  INFO(ran.out << ran.err);
  REQUIRE(ran.code == 0);
  for (const std::string& line : lines_of(ran.out)) CHECK_THAT(line, Matches(R"(\{"v":1,.*\})"));
  CHECK_THAT(ran.out, Contains("\"event\":\"run_start\"") && Contains("\"event\":\"commit\"") &&
                          Contains("\"event\":\"run_end\""));
}

TEST_CASE("e2e: two secondaries at once both come to the primary's state", "[e2e]") {
  Primary primary(XS_SERVER);
  const Secondary one(primary, XS_CLIENT, primary.let_in());
  const Secondary other(primary, XS_CLIENT, primary.let_in());
  xs::test::Child first({XS_CLIENT, "--config", one.file("sync.ini")}, one.file("out"));
  xs::test::Child second({XS_CLIENT, "--config", other.file("sync.ini")}, other.file("out"));
  REQUIRE(first.ended_within(std::chrono::seconds(20)));
  REQUIRE(second.ended_within(std::chrono::seconds(20)));
  CHECK(first.status() == 0);
  CHECK(second.status() == 0);
  CHECK(one.etc.read("signer/keyconf.xml") == other.etc.read("signer/keyconf.xml"));
}

TEST_CASE("e2e: doctor finds nothing wrong, and what is", "[e2e]") {
  Cluster cluster;
  Secondary& second = cluster.second;
  const Ran good = second.run({"doctor"});
  INFO(good.out << good.err);
  CHECK_THAT(good.out, Contains("\u2713  login") && Contains("\u2713  primary's tree"));
  second.dir.write("known_hosts", "");
  const Ran bad = second.run({"doctor"});
  INFO(bad.out << bad.err);
  CHECK(bad.code == 41);
  CHECK_THAT(bad.out, Contains("\u2717  login") && Contains("xroad-sync trust 127.0.0.1"));
}
