// SPDX-License-Identifier: MIT
#include "cli/server_roots.h"

#include <random>

#include "base/error.h"
#include "base/text.h"
#include "sync/filter_walk.h"
#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"
#include "tests/support/thrown.h"

using namespace xs;
using cli::excludes_below;
using cli::find_served;
using test::TempTree;

namespace {

cli::ServerConfig serving(const std::string& path) {
  cli::ServerConfig config = cli::default_server_config();
  config.roots[0].path = path;
  return config;
}

std::string refusal(const cli::ServerConfig& config, const std::string& asked) {
  std::string reason;
  const auto error = test::thrown_by([&] { find_served(config, asked, reason); });
  if (!error) return "served";
  CHECK(error->fault() == Fault::Selection);
  CHECK_FALSE(reason.empty());
  return error->text();
}

FilterList excluding(const std::vector<std::string>& patterns) {
  FilterList list;
  for (const std::string& pattern : patterns) list.exclude(pattern);
  return list;
}

bool hides(const FilterList& excludes, const std::string& path, bool is_dir) {
  FilterWalk walk(FilterList().with_mandatory(excludes), {});
  return walk.fenced(path, is_dir);
}

std::vector<std::string> moved(const std::vector<std::string>& patterns, const std::string& below) {
  const auto list = excludes_below(excluding(patterns), below);
  return list ? list->to_wire() : std::vector<std::string>{"none"};
}

}  // namespace

TEST_CASE("server_roots: a root and what lies below it is served, however it is spelt", "[cli]") {
  TempTree tree;
  tree.dir("signer").dir("signer/softtoken").dir("conf.d");
  const cli::ServerConfig config = serving(tree.path());
  std::string reason;
  for (const std::string& spelt :
       {tree.path(), tree.path() + "/", "//" + tree.path().substr(1) + "/./", tree.path() + "//."})
    CHECK(find_served(config, spelt, reason).below.empty());
  CHECK(find_served(config, tree.path() + "//signer/./softtoken/", reason).below ==
        "signer/softtoken");
  const auto conf = find_served(config, tree.path() + "/conf.d", reason);
  CHECK(hides(conf.excludes, "node.ini", false));
  CHECK_FALSE(hides(conf.excludes, "sub/node.ini", false));
  CHECK(hides(conf.excludes, "sub/db.properties", false));
}

TEST_CASE("server_roots: everything else gets one and the same answer", "[cli]") {
  TempTree tree;
  tree.dir("signer")
      .file("file")
      .symlink("link", "signer")
      .symlink("out", "/etc")
      .dir("globalconf");
  tree.dir("globalconf/inner").dir("globalconf.not");
  const cli::ServerConfig config = serving(tree.path());
  for (const std::string& path :
       {std::string("/nowhere"), std::string("/etc"), std::string("/"), std::string("relative"),
        tree.path() + "x", tree.path() + "/..", tree.path() + "/signer/../signer",
        tree.path() + "/missing", tree.path() + "/file", tree.path() + "/link",
        tree.path() + "/out", tree.path() + "/out/ssh", tree.path() + "/globalconf",
        tree.path() + "/globalconf/inner", tree.path() + "/signer/" + std::string(300, 'n'),
        tree.path() + "/signer" + std::string("\0x", 2)}) {
    INFO(path);
    CHECK(refusal(config, path) == "this server does not serve " + quote(path));
  }
  CHECK(refusal(config, tree.path() + "/globalconf.not") == "served");
}

TEST_CASE("server_roots: rules are rewritten for the directory that is served", "[cli]") {
  using List = std::vector<std::string>;
  CHECK(moved({"*.tmp", "/conf.d/node.ini", "/globalconf"}, "conf.d") ==
        List{"- *.tmp", "- /node.ini"});
  CHECK(moved({"/*/node.ini"}, "conf.d") == List{"- /node.ini"});
  CHECK(moved({"/a/b/c/"}, "a/b") == List{"- /c/"});
  CHECK(moved({"b/c"}, "a/b") == List{"- b/c", "- /c"});
  CHECK(moved({"a/b/c"}, "a/b") == List{"- a/b/c", "- /c"});
  CHECK(moved({"/a"}, "a/b") == List{"none"});
  CHECK(moved({"b/"}, "a/b") == List{"none"});
  CHECK(moved({"/a/**/c"}, "a/b") == List{"none"});
  CHECK(moved({"a**c"}, "a/b") == List{"none"});
}

TEST_CASE("server_roots: rules below a root hide exactly what they hide from the root", "[cli]") {
  const unsigned seed = GENERATE(1U, 2U, 3U, 4U);
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto pick = [&](const std::vector<std::string>& from) {
    return from[std::uniform_int_distribution<std::size_t>(0, from.size() - 1)(random)];
  };
  const std::vector<std::string> names{"a", "b", "ab", "a.b", "*", "a\\b"};
  const std::vector<std::string> pieces{"a",  "b",    "ab",   "a*",   "*",  "?",    "[ab]",
                                        "**", "[!a]", "a\\b", "a\\*", "*b", "[a/b]"};
  const auto path = [&](const std::vector<std::string>& from, int most) {
    std::string made = pick(from);
    for (int more = std::uniform_int_distribution<>(0, most)(random); more > 0; --more)
      made += "/" + pick(from);
    return made;
  };
  int rewritten = 0;
  for (int run = 0; run < 5000; ++run) {
    std::vector<std::string> patterns;
    for (int count = std::uniform_int_distribution<>(1, 3)(random); count > 0; --count)
      patterns.push_back(pick({"", "/"}) + path(pieces, 2) + pick({"", "", "/"}));
    const std::string below = path(names, 1);
    const auto list = excludes_below(excluding(patterns), below);
    if (!list) continue;
    ++rewritten;
    for (int asked = 0; asked < 10; ++asked) {
      const std::string name = path(names, 2);
      const bool is_dir = pick({"", "d"}) == "d";
      const bool whole = hides(excluding(patterns), below + "/" + name, is_dir);
      if (hides(*list, name, is_dir) == whole) continue;
      for (const std::string& pattern : patterns) UNSCOPED_INFO(pattern);
      UNSCOPED_INFO("below " << below << ", asked " << name << (is_dir ? "/" : ""));
      REQUIRE(hides(*list, name, is_dir) == whole);
    }
  }
  CHECK(rewritten > 500);
}
