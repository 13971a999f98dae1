// SPDX-License-Identifier: MIT
// Ways to the primary other than our own ssh, how fast, how long, and what happens when the
// primary's tree changes meanwhile.
#include <unistd.h>

#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/nodes.h"

using Catch::Contains;
using xs::test::Child;
using xs::test::eventually;
using Cluster = xs::test::Nodes;
using xs::test::Ran;
using namespace std::chrono_literals;

namespace {

std::string repeated(std::string_view word, std::size_t size) {
  std::string text;
  while (text.size() < size) text += word;
  return text;
}

}  // namespace

TEST_CASE("way: any program may be the remote shell, and gets host and command", "[e2e]") {
  Cluster cluster;
  const std::string shell = cluster.second.dir.write(
      "shell",
      "#!/bin/sh\necho \"$@\" >" + cluster.second.file("asked") + "\nexec " XS_SERVER " --config " +
          cluster.primary.server_ini() + "\n",
      0700);
  const Ran ran = cluster.second.run({"-e", shell + " -o \"two words\""});
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(cluster.second.dir.read("asked") ==
        "-o two words -l " + xs::test::user_name() + " 127.0.0.1 xroad-sync-server\n");
  CHECK(cluster.second.etc.exists("signer/keyconf.xml"));
}

TEST_CASE("way: a remote shell that is not there is 5, one that fails says what it said", "[e2e]") {
  Cluster cluster;
  const Ran absent = cluster.second.run({"-e", "/nowhere/shell"});
  INFO(absent.err);
  CHECK(absent.code == 5);
  const std::string shell =
      cluster.second.dir.write("shell", "#!/bin/sh\necho not today >&2\nexit 255\n", 0700);
  const Ran failed = cluster.second.run({"-e", shell, "--retries", "0"});
  INFO(failed.err);
  CHECK(failed.code != 0);
  CHECK_THAT(failed.err, Contains("not today"));
  CHECK_FALSE(cluster.second.etc.exists("signer"));
}

TEST_CASE("way: --bwlimit makes it slow, --stop-after is a limit and not a part of the work",
          "[e2e]") {
  Cluster cluster;
  const std::string bytes = [] {
    std::string out;
    std::uint32_t state = 1;
    while (out.size() < std::size_t{1} << 20) {
      state = state * 1664525U + 1013904223U;
      out += static_cast<char>(state >> 24U);
    }
    return out;
  }();
  cluster.primary.etc.file("much", bytes);
  const auto start = std::chrono::steady_clock::now();
  const Ran ran = cluster.second.run({"--bwlimit=512", "--stop-after=1"});
  const auto took = std::chrono::steady_clock::now() - start;
  INFO(ran.err);
  CHECK(ran.code == 0);
  CHECK(took > 1s);  // 2 s, less what may pass at once
  CHECK(cluster.second.etc.read("much") == bytes);
}

TEST_CASE("way: a tree that is replaced while it travels arrives whole, or not at all", "[e2e]") {
  Cluster cluster;
  REQUIRE(cluster.second.run().code == 0);
  const std::string before = cluster.second.etc.read("signer/keyconf.xml");
  // Old and new are told apart in every file; the run is slow enough to be met in its middle.
  const auto fill = [&](const std::string& word) {
    for (int i = 0; i < 4; ++i) {
      cluster.primary.etc.file("big/" + std::to_string(i), repeated(word, std::size_t{3} << 20));
    }
    cluster.primary.etc.file("signer/keyconf.xml", "<keyConf>" + word + "</keyConf>\n", 0640);
  };
  fill("old ");
  const bool marked = GENERATE(false, true);
  Child run(cluster.second.command({"--no-z", "--bwlimit=3000"}), cluster.second.file("out"));
  // Its staging is there: the primary's answer has begun to arrive.
  REQUIRE(eventually(20s, [&] {
    for (const auto& entry :
         std::filesystem::directory_iterator(cluster.second.etc.path_of(".xroad-sync"))) {
      if (entry.path().filename().string().starts_with("run-")) return true;
    }
    return false;
  }));
  if (marked) cluster.primary.conf.write("restore_in_progress", "");
  fill("new ");
  REQUIRE(run.ended_within(60s));
  const int code = WEXITSTATUS(run.status());
  INFO(marked << " " << code << " " << cluster.second.dir.read("out"));
  if (marked) {
    CHECK(code == 24);
  } else {
    CHECK((code == 0 || code == 24));
  }
  const std::string conf = cluster.second.etc.read("signer/keyconf.xml");
  if (code == 24) {
    CHECK(conf == before);
    CHECK_FALSE(cluster.second.etc.exists("big"));
    CHECK_THAT(cluster.second.log(), Contains("(code 24)"));
  } else {
    CHECK_THAT(conf, Contains("new"));
    for (int i = 0; i < 4; ++i) {
      CHECK(cluster.second.etc.read("big/" + std::to_string(i)).substr(0, 4) == "new ");
    }
  }
}

TEST_CASE("way: --max-delete is decided before anything is deleted", "[e2e]") {
  Cluster cluster;
  cluster.primary.etc.file("a", "1").file("b", "2").file("c", "3");
  REQUIRE(cluster.second.run().code == 0);
  cluster.primary.etc.remove("a").remove("b").remove("c").file("d", "4");
  const Ran ran = cluster.second.run({"--max-delete=2"});
  INFO(ran.err);
  CHECK(ran.code == 25);
  for (const char* name : {"a", "b", "c"}) CHECK(cluster.second.etc.exists(name));
  CHECK_FALSE(cluster.second.etc.exists("d"));
  CHECK(cluster.second.run({"--max-delete=3"}).code == 0);
  CHECK_FALSE(cluster.second.etc.exists("a"));
}
