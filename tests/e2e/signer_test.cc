// SPDX-License-Identifier: MIT
// What X-Road's signer lives on, with keys that open: the primary's tree is one that
// scripts/xroad_tree.py made and changes as the signer does.
#include "tests/support/catch.h"
#include "tests/support/nodes.h"
#include "tests/xroad/watch.h"

using Catch::Contains;
using xs::test::Primary;
using xs::test::Ran;
using xs::test::Watch;
using xs::test::xroad_tree;

namespace {

struct Cluster : xs::test::Nodes {
  Cluster() : Nodes(Primary::Tree::Real) { must(); }
  std::string source() const { return primary.etc.path(); }
  std::string copy() const { return second.etc.path(); }
  Ran must(const std::vector<std::string>& words = {}) const {
    Ran ran = second.run(words);
    INFO(ran.out << ran.err);
    REQUIRE(ran.code == 0);
    return ran;
  }
};

std::string key_id(const std::string& printed) { return printed.substr(0, printed.find('\n')); }

const std::vector<std::string> kReplaced{"signer/keyconf.xml moved-in"};
const std::vector<std::string> kTouched{"signer/keyconf.xml attributes"};

}  // namespace

TEST_CASE("signer: a new key and its keyconf.xml come with one event", "[e2e]") {
  const Cluster cluster;
  Watch watch(cluster.copy(), {"signer"});
  const std::string id = key_id(xroad_tree({"add-key", cluster.source()}));
  cluster.must();
  CHECK(watch.take() == kReplaced);
  CHECK(cluster.second.etc.exists("signer/softtoken/" + id + ".p12"));
  CHECK_THAT(xroad_tree({"check", cluster.copy()}), Contains("5 keys open"));
}

TEST_CASE("signer: nothing new and an unchanged keyconf.xml are no event", "[e2e]") {
  const Cluster cluster;
  Watch watch(cluster.copy(), {"signer", "signer/softtoken"});
  cluster.must();
  xroad_tree({"save", cluster.source()});
  cluster.primary.etc.stat("signer/keyconf.xml");
  cluster.must();
  CHECK(watch.take().empty());
}

TEST_CASE("signer: a key file that keyconf.xml does not know yet is one event, too", "[e2e]") {
  const Cluster cluster;
  Watch watch(cluster.copy(), {"signer"});
  xroad_tree({"add-key", "--unsaved", cluster.source()});
  cluster.must();
  CHECK(watch.take() == kTouched);
}

TEST_CASE("signer: a key that the primary lacks itself, and still names, keeps no sync", "[e2e]") {
  const Cluster cluster;
  const std::string id = key_id(xroad_tree({"delete-key", "--unsaved", cluster.source()}));
  cluster.must();
  CHECK_FALSE(cluster.second.etc.exists("signer/softtoken/" + id + ".p12"));
  CHECK_THAT(cluster.second.etc.read("signer/keyconf.xml"), Contains(id));
}

TEST_CASE("signer: in the middle of a change of the PIN nothing moves; then the token is told of",
          "[e2e]") {
  const Cluster cluster;
  Watch watch(cluster.copy(), {"signer", "signer/softtoken"});
  xroad_tree({"change-pin", "--new", "5678", "--half", cluster.source()});
  const Ran refused = cluster.second.run();
  INFO(refused.err);
  CHECK(refused.code == 24);
  CHECK_THAT(refused.err, Contains("PIN"));
  CHECK(watch.take().empty());
  CHECK_THAT(xroad_tree({"check", cluster.copy()}), Contains("4 keys open"));
  CHECK(cluster.second.run({"status", "--check"}).code == 1);

  xroad_tree({"change-pin", "--finish", cluster.source()});
  Watch signer(cluster.copy(), {"signer"});
  cluster.must();
  CHECK(signer.take() == kTouched);
  CHECK_THAT(xroad_tree({"check", "--pin", "5678", cluster.copy()}), Contains("4 keys open"));
  CHECK_FALSE(cluster.second.etc.exists("signer/.softtoken.bak"));
  CHECK_THAT(cluster.second.log(), Contains("the PIN of the software token"));
  CHECK_THAT(cluster.second.run({"status"}).out, Contains("log in to the token"));
  CHECK(cluster.second.run({"status", "--check"}).code == 1);
}

TEST_CASE("signer: a rollback wakes the signer once, and its keys open", "[e2e]") {
  const Cluster cluster;
  const std::string id = key_id(xroad_tree({"add-key", cluster.source()}));
  cluster.must();
  xroad_tree({"change-pin", "--new", "5678", cluster.source()});
  cluster.must();
  Watch watch(cluster.copy(), {"signer"});
  cluster.must({"rollback"});  // key files alone
  CHECK(watch.take() == kTouched);
  CHECK_THAT(xroad_tree({"check", cluster.copy()}), Contains("5 keys open"));
}

TEST_CASE("signer: a rollback over a new key takes key and keyconf.xml back, in one event",
          "[e2e]") {
  const Cluster cluster;
  const std::string id = key_id(xroad_tree({"add-key", cluster.source()}));
  cluster.must();
  Watch watch(cluster.copy(), {"signer"});
  cluster.must({"rollback"});
  CHECK(watch.take() == kReplaced);
  CHECK_FALSE(cluster.second.etc.exists("signer/softtoken/" + id + ".p12"));
  CHECK_THAT(xroad_tree({"check", cluster.copy()}), Contains("4 keys open"));
}

TEST_CASE("signer: a node that has become the primary is neither synced nor rolled back", "[e2e]") {
  const Cluster cluster;
  xroad_tree({"add-key", cluster.source()});
  cluster.must();
  cluster.must({"pause"});
  xs::test::TempTree& etc = const_cast<Cluster&>(cluster).second.etc;
  etc.file("conf.d/node.ini", "[node]\ntype=master\n");
  CHECK(cluster.second.run({"--ignore-pause"}).code == 46);
  const Ran back = cluster.second.run({"rollback"});
  INFO(back.out << back.err);
  CHECK(back.code == 46);
  CHECK_THAT(xroad_tree({"check", cluster.copy()}), Contains("5 keys open"));
}
