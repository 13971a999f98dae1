// SPDX-License-Identifier: MIT
#include "sync/xroad/preset.h"

#include <algorithm>
#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/cluster.h"

using namespace xs;
using test::Cluster;

namespace {

const std::vector<std::string> kNever{
    "db.properties",          "sub/db.properties",  "db_libpq.env",
    "db.properties.restored", "conf.d/node.ini",    "globalconf/DEV/shared-params.xml",
    "postgresql/server.key",  "gpghome/secring",    "xroad.properties",
    "lost+found/x",           "signer/tmpconf1.tmp"};
const std::vector<std::string> kAlways{"conf.d/local.ini",   "conf.d/addons/node.ini",
                                       "signer/keyconf.xml", "signer/softtoken/AA.p12",
                                       "ssl/internal.key",   "configuration-anchor.xml"};

}  // namespace

TEST_CASE("preset: what must never leave a node never does, whatever a client includes",
          "[xroad]") {
  Cluster cluster;
  const Preset& preset = *find_preset("xroad");
  for (const std::string& path : kNever) cluster.primary.file(path, "primary's");
  for (const std::string& path : kAlways) cluster.primary.file(path, "primary's");
  cluster.primary.file(".xroad-sync/x", "primary's");
  cluster.sender.mandatory = preset.fence();
  cluster.request.filters.include("*");
  cluster.request.filters.filter("!");
  cluster.pull();
  for (const std::string& path : kNever) {
    INFO(path);
    CHECK_FALSE(std::filesystem::exists(cluster.secondary.path_of(path)));
  }
  for (const std::string& path : kAlways) {
    INFO(path);
    CHECK(cluster.secondary.read(path) == "primary's");
  }
  CHECK_FALSE(cluster.secondary.exists(".xroad-sync/x"));
}

TEST_CASE("preset: what a node has for itself survives a source that would delete it", "[xroad]") {
  Cluster cluster;
  const Preset& preset = *find_preset("xroad");
  for (const std::string& path : kNever) cluster.secondary.file(path, "ours");
  cluster.primary.file("conf.d/local.ini", "x");
  for (const std::string& pattern : preset.excludes) cluster.request.filters.exclude(pattern);
  cluster.pull();
  for (const std::string& path : kNever) {
    INFO(path);
    CHECK(cluster.secondary.read(path) == "ours");
  }
}

TEST_CASE("preset: the guide's excludes are all there", "[xroad]") {
  const auto& excludes = find_preset("xroad")->excludes;
  for (const char* pattern :
       {"db.properties", "/conf.d/node.ini", "*.tmp", "/postgresql", "/globalconf", "/gpghome"}) {
    INFO(pattern);
    CHECK(std::find(excludes.begin(), excludes.end(), pattern) != excludes.end());
  }
}

TEST_CASE("preset: without one there is no opinion", "[xroad]") {
  const Preset& none = *find_preset("none");
  CHECK(none.excludes.empty());
  CHECK(none.fence() == FilterList());
  CHECK_FALSE(none.guard.deletions);
  CHECK(none.wake == WakeAction());
  CHECK(find_preset("Xroad") == nullptr);
}
