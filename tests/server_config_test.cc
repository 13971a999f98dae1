// SPDX-License-Identifier: MIT
#include "cli/server_config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using Catch::StartsWith;
using cli::load_server_config;
using cli::parse_server_config;
using cli::ServerConfig;
using test::TempTree;

namespace {

const std::string kGood = "[root]\npath = /srv/tree\n";

std::vector<std::string> patterns(const FilterList& list) { return list.to_wire(); }

std::string refusal(const std::string& text) {
  const auto error = test::thrown_by([&] { parse_server_config(text, "server.ini"); });
  if (!error) return "accepted";
  CHECK(error->fault() == Fault::Usage);
  return error->text();
}

}  // namespace

TEST_CASE("server_config: every key arrives", "[cli]") {
  const ServerConfig config = parse_server_config(
      "[server]\nidle-timeout = 7\ntotal-timeout = 70\nmax-entries = 1000\nmemory = 512M\n"
      "rounds = 2\nlog = syslog\nlog-socket = /run/log\n"
      "[root a]\npath = //srv/./a/\nexclude = *.bak\nexclude = /b/\nnode-ini = /etc/node.ini\n"
      "[root b]\npath = /srv/b\npreset = xroad\nrestore-marker = /srv/restoring\n",
      "server.ini");
  CHECK(config.idle.count() == 7);
  CHECK(config.total.count() == 70);
  CHECK(config.max_entries == 1000);
  CHECK(config.memory == std::uint64_t{512} << 20);
  CHECK(config.rounds == 2);
  CHECK(config.log == cli::LogTarget::Syslog);
  CHECK(config.log_socket == "/run/log");
  REQUIRE(config.roots.size() == 2);
  CHECK(config.roots[0].path == "/srv/a");
  CHECK_FALSE(config.roots[0].xroad);
  CHECK(patterns(config.roots[0].excludes) == std::vector<std::string>{"- *.bak", "- /b/"});
  CHECK(config.roots[0].node_ini == "/etc/node.ini");
  CHECK(config.roots[0].restore_marker.empty());
  CHECK(config.roots[1].xroad);
  CHECK(config.roots[1].node_ini == "/srv/b/conf.d/node.ini");
  CHECK(config.roots[1].restore_marker == "/srv/restoring");
}

TEST_CASE("server_config: what must never leave a node is excluded by the preset and by default",
          "[cli]") {
  const ServerConfig config =
      parse_server_config(kGood + "preset = xroad\nexclude = mine\n", "server.ini");
  for (const ServerConfig& one : {config, cli::default_server_config()}) {
    const auto rules = patterns(one.roots.at(0).excludes);
    for (const char* never :
         {"db.properties", "db_libpq.env", "*.restored", "/conf.d/node.ini", "/globalconf",
          "/postgresql", "/gpghome", "/xroad.properties", "/lost+found", "*.tmp", ".xroad-sync"}) {
      INFO(never);
      CHECK(std::find(rules.begin(), rules.end(), std::string("- ") + never) != rules.end());
    }
  }
  CHECK(patterns(config.roots[0].excludes).front() == "- mine");
  CHECK(cli::default_server_config().roots[0].path == "/etc/xroad");
  CHECK(parse_server_config(kGood, "server.ini").roots[0].excludes.rules().empty());
}

TEST_CASE("server_config: each wrong line is refused with its place", "[cli]") {
  struct Case {
    std::string text;
    std::string where;
    std::string why;
  };
  const std::vector<Case> cases{
      {"", "server.ini: ", "serves nothing"},
      {"[server]\nidle-timeout = 5\n", "server.ini: ", "serves nothing"},
      {"[root]\npreset = none\n", "server.ini: ", "[root] has no path"},
      {kGood + "exlude = x\n", "server.ini:3: ", "no key 'exlude'"},
      {kGood + "[server]\ntimeout = 5\n", "server.ini:4: ", "no key 'timeout'"},
      {kGood + "[client]\nx = 1\n", "server.ini:4: ", "no section [client]"},
      {"[root]\npath = relative\n", "server.ini:2: ", "absolute path"},
      {"[root]\npath = /\n", "server.ini:2: ", "absolute path"},
      {"[root]\npath = /a/../b\n", "server.ini:2: ", "absolute path"},
      {"[root]\npath =\n", "server.ini:2: ", "absolute path"},
      {kGood + "path = /srv/other\n", "server.ini:3: ", "given twice: see server.ini:2"},
      {kGood + "[root b]\npath = /srv/tree/in/it\n", "server.ini: ", "must not lie in another"},
      {kGood + "[root b]\npath = /srv/tree\n", "server.ini: ", "must not lie in another"},
      {kGood + "preset = X-Road\n", "server.ini:3: ", "xroad or none"},
      {kGood + "node-ini = node.ini\n", "server.ini:3: ", "absolute path"},
      {kGood + "exclude = + x\n", "server.ini:3: ", "one plain pattern"},
      {kGood + "exclude = !\n", "server.ini:3: ", "one plain pattern"},
      {kGood + "exclude =\n", "server.ini:3: ", "one plain pattern"},
      {kGood + "[server]\nidle-timeout = 0\n", "server.ini:4: ", "from 1 to 3600"},
      {kGood + "[server]\ntotal-timeout = 1h\n", "server.ini:4: ", "from 1 to 86400"},
      {kGood + "[server]\nmax-entries = -1\n", "server.ini:4: ", "a number"},
      {kGood + "[server]\nrounds = 101\n", "server.ini:4: ", "from 0 to 100"},
      {kGood + "[server]\nmemory = 63M\n", "server.ini:4: ", "at least 64M"},
      {kGood + "[server]\nmemory = 99999999999999G\n", "server.ini:4: ", "at least 64M"},
      {kGood + "[server]\nmemory = G\n", "server.ini:4: ", "at least 64M"},
      {kGood + "[server]\nlog = file\n", "server.ini:4: ", "auto, journal, syslog or none"},
      {kGood + "[server]\nlog-socket = x\n", "server.ini:4: ", "absolute path"},
      {kGood + "nonsense\n", "server.ini:3", ""}};
  for (const Case& one : cases) {
    INFO(one.text);
    CHECK_THAT(refusal(one.text), StartsWith(one.where) && Contains(one.why));
  }
}

TEST_CASE("server_config: an exclude that only one option can mean is told from a pattern",
          "[cli]") {
  const ServerConfig config = parse_server_config(
      kGood + "exclude = - x\nexclude = a b\nexclude = [ab]*\nexclude = sub/dir/\n", "server.ini");
  CHECK(patterns(config.roots[0].excludes) ==
        std::vector<std::string>{"- x", "- a b", "- [ab]*", "- sub/dir/"});
}

TEST_CASE("server_config: a file that others can write is not believed", "[cli]") {
  TempTree tree;
  tree.dir("etc").file("etc/server.ini", kGood);
  const std::string file = tree.path_of("etc/server.ini");
  const auto refused = [&] {
    const auto error = test::thrown_by([&] { load_server_config(file); });
    return error ? error->text() : "accepted";
  };
  REQUIRE(refused() == "accepted");
  tree.mode("etc/server.ini", 0664);
  CHECK_THAT(refused(), Contains("writable for others") && Contains("server.ini"));
  tree.mode("etc/server.ini", 0642);
  CHECK_THAT(refused(), Contains("writable for others"));
  tree.mode("etc/server.ini", 0644).mode("etc", 0777);
  CHECK_THAT(refused(), Contains("writable for others"));
  tree.mode("etc", 0755);
  if (::geteuid() != 0) return;
  tree.owner("etc/server.ini", 65534, 0);
  CHECK_THAT(refused(), Contains("belongs to user 65534"));
  // Its owner may use it: for demonstrations.
  CHECK(test::as_nobody([&] { return refused() == "accepted" ? 0 : 1; }) == 0);
  tree.owner("etc/server.ini", 0, 0).owner("etc", 65534, 0);
  CHECK_THAT(refused(), Contains("belongs to user 65534"));
}

TEST_CASE("server_config: only a named file must be there, and no link is one", "[cli]") {
  TempTree tree;
  tree.file("real.ini", kGood).symlink("link.ini", "real.ini").symlink("dir", ".");
  CHECK(test::thrown_by([&] { load_server_config(tree.path_of("missing.ini")); })->code() ==
        ENOENT);
  CHECK_THAT(test::thrown_by([&] { load_server_config(tree.path_of("link.ini")); })->text(),
             Contains("symbolic link"));
  CHECK(load_server_config(tree.path_of("dir/real.ini")).roots.size() == 1);
  CHECK_THAT(test::thrown_by([] { load_server_config("server.ini"); })->text(),
             Contains("absolute path"));
  CHECK_THAT(test::thrown_by([] { load_server_config("/etc/"); })->text(),
             Contains("absolute path"));
  tree.dir("directory.ini");
  CHECK(test::thrown_by([&] { load_server_config(tree.path_of("directory.ini")); }));
  if (::geteuid() != 0) return;
  REQUIRE(::lchown(tree.path_of("dir").c_str(), 65534, 65534) == 0);
  CHECK_THAT(test::thrown_by([&] { load_server_config(tree.path_of("dir/real.ini")); })->text(),
             Contains("symbolic link that belongs to user 65534"));
}
