// SPDX-License-Identifier: MIT
#include "sync/xroad/source_rules.h"

#include "tests/support/catch.h"
#include "tests/support/cluster.h"
#include "tests/support/thrown.h"
#include "tests/xroad/keyconfs.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

SourceRules rules_of(const TempTree& tree) {
  SourceRules rules = xroad_source_rules(tree.path());
  rules.restore_marker = tree.path_of("restore_in_progress");
  return rules;
}

void fill(TempTree& tree) {
  tree.file("conf.d/node.ini", "[node]\ntype=master\n");
  tree.file("signer/keyconf.xml", soft_keyconf({"AA01", "BB02"}));
  tree.file("signer/softtoken/.softtoken.p12", "pin").file("signer/softtoken/AA01.p12", "key");
}

std::optional<Error> verdict(const TempTree& tree) {
  return thrown_by([&] { check_source(rules_of(tree), Dir::open_root(tree.path())); });
}

void remove_softtoken(TempTree& tree) {
  tree.remove("signer/softtoken/.softtoken.p12").remove("signer/softtoken/AA01.p12");
  tree.remove("signer/softtoken");
}

}  // namespace

TEST_CASE("source rules: a primary at rest may be copied from, missing keys or not", "[xroad]") {
  TempTree tree;
  fill(tree);  // BB02 was just deleted there
  CHECK_FALSE(verdict(tree));
}

TEST_CASE("source rules: a secondary is no source", "[xroad]") {
  TempTree tree;
  fill(tree);
  tree.file("conf.d/node.ini", "[node]\ntype=slave\n");
  CHECK(verdict(tree)->fault() == Fault::Role);
  tree.remove("conf.d/node.ini");
  CHECK(verdict(tree)->fault() == Fault::Role);
  SourceRules open = rules_of(tree);
  open.node_ini.clear();
  CHECK_FALSE(thrown_by([&] { check_source(open, Dir::open_root(tree.path())); }));
}

TEST_CASE("source rules: nothing is copied while a restore is in progress", "[xroad]") {
  TempTree tree;
  fill(tree);
  tree.file("restore_in_progress");
  const auto error = verdict(tree);
  REQUIRE(error);
  CHECK(error->fault() == Fault::Vanished);
  CHECK_THAT(error->text(), Contains("restore") && Contains(tree.path()));
  tree.remove("restore_in_progress").symlink("restore_in_progress", "nowhere");
  CHECK(verdict(tree)->fault() == Fault::Vanished);
}

TEST_CASE("source rules: a softtoken that is away while keys are named is a PIN in flight",
          "[xroad]") {
  TempTree tree;
  fill(tree);
  remove_softtoken(tree);
  auto error = verdict(tree);
  REQUIRE(error);
  CHECK(error->fault() == Fault::Vanished);
  CHECK_THAT(error->text(), Contains("2 keys") && Contains("nothing was changed"));
  tree.file("signer/keyconf.xml", keyconf_xml(device_xml("hsm", {"CC03"})));
  CHECK_FALSE(verdict(tree));
  tree.dir("signer/.softtoken.bak");
  CHECK(verdict(tree)->fault() == Fault::Vanished);
  tree.remove("signer/.softtoken.bak").file("signer/keyconf.xml", "<broken");
  CHECK_THAT(verdict(tree)->text(), Contains("cannot tell"));
  tree.dir("signer/softtoken");
  CHECK_FALSE(verdict(tree));  // broken, and ours to copy as it is
}

TEST_CASE("source rules: a node without a signer has nothing in flight", "[xroad]") {
  TempTree tree;
  tree.file("conf.d/node.ini", "[node]\ntype=primary\n");
  CHECK_FALSE(verdict(tree));
}

TEST_CASE("source rules: a PIN change in flight reaches the client as such and costs it no key",
          "[xroad]") {
  Cluster cluster;
  fill(cluster.primary);
  cluster.sender.check = [&] {
    check_source(rules_of(cluster.primary), Dir::open_root(cluster.primary.path()));
  };
  cluster.pull();
  cluster.require_same();
  remove_softtoken(cluster.primary);
  const Error error = cluster.failure();
  CHECK(error.fault() == Fault::Vanished);
  CHECK_THAT(error.text(), Contains("PIN"));
  CHECK(cluster.secondary.exists("signer/softtoken/AA01.p12"));
}
