// SPDX-License-Identifier: MIT
// What the signer's watch sees of a pull.
#include <algorithm>
#include <random>

#include "sync/xroad/preset.h"
#include "tests/support/catch.h"
#include "tests/support/cluster.h"
#include "tests/xroad/keyconfs.h"
#include "tests/xroad/watch.h"

using namespace xs;
using namespace xs::test;

using Seen = std::vector<std::string>;

namespace {

struct Node : Cluster {
  SteadyClock clock;
  Waker waker{find_preset("xroad")->wake, secondary.path(), clock};

  Node() {
    const Preset& preset = *find_preset("xroad");
    request.index_files = preset.index_files;
    request.wake = [&preset](const Plan& plan) { return wake_for(preset.wake, plan); };
    request.on_wake = [this](std::string_view owed) { waker(owed); };
    primary.dir("signer", 0750).dir("signer/softtoken", 0750);
    token(".softtoken", "pin 1").token("AA", "key A").token("BB", "key B").keyconf({"AA", "BB"});
    pull();
    require_same();
  }
  Node& token(const std::string& id, const std::string& bytes) {
    primary.file("signer/softtoken/" + id + ".p12", bytes, 0640);
    return *this;
  }
  Node& keyconf(const std::vector<std::string>& keys) {
    primary.file("signer/keyconf.xml", soft_keyconf(keys), 0640);
    return *this;
  }
  Seen seen() {
    Watch watch(secondary.path(), {"signer", "signer/softtoken"});
    pull();
    require_same();
    return watch.take();
  }
};

}  // namespace

TEST_CASE("ordering: new keys, then the keyconf that names them, then stale keys go", "[xroad]") {
  Node node;
  node.token("CC", "key C").token("DD", "key D").keyconf({"AA", "CC", "DD"});
  node.primary.remove("signer/softtoken/BB.p12");
  CHECK(node.seen() == Seen{"signer/softtoken/CC.p12 moved-in", "signer/softtoken/DD.p12 moved-in",
                            "signer/keyconf.xml moved-in", "signer/softtoken/BB.p12 deleted"});
}

TEST_CASE("ordering: a change of the PIN comes as a set, and the keyconf after it", "[xroad]") {
  Node node;
  node.token(".softtoken", "pin 2").token("AA", "key A under 2").token("BB", "key B under 2");
  node.keyconf({"BB", "AA"});
  CHECK(node.seen() == Seen{"signer/softtoken/.softtoken.p12 moved-in",
                            "signer/softtoken/AA.p12 moved-in", "signer/softtoken/BB.p12 moved-in",
                            "signer/keyconf.xml moved-in"});
}

TEST_CASE("ordering: when only key files change, the keyconf gets one attribute event at the end",
          "[xroad]") {
  Node node;
  node.token("CC", "key C");
  const struct stat before = node.secondary.stat("signer/keyconf.xml");
  CHECK(node.seen() == Seen{"signer/softtoken/CC.p12 moved-in", "signer/keyconf.xml attributes"});
  const struct stat after = node.secondary.stat("signer/keyconf.xml");
  CHECK(after.st_ino == before.st_ino);
  CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
  CHECK(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
  node.primary.remove("signer/softtoken/CC.p12");
  CHECK(node.seen() == Seen{"signer/softtoken/CC.p12 deleted", "signer/keyconf.xml attributes"});
}

TEST_CASE("ordering: a no-op, another time, and changes elsewhere wake nobody", "[xroad]") {
  Node node;
  CHECK(node.seen().empty());
  node.primary.mtime("signer/keyconf.xml", 1'000'000'000)
      .mtime("signer/softtoken/AA.p12", 1'000'000'000);
  CHECK(node.seen().empty());
  node.primary.file("conf.d/local.ini", "[proxy]\n");
  CHECK(node.seen().empty());
}

TEST_CASE("ordering: random changes of keys never show a keyconf ahead of its keys", "[xroad]") {
  const auto seed = static_cast<unsigned>(Catch::rngSeed());
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Node node;
  std::vector<std::string> keys{"AA", "BB"};
  for (int round = 0; round < 30; ++round) {
    const std::string id = "K" + std::to_string(round);
    const bool gone = keys.size() > 2 && random() % 2 == 0;
    const std::string old = keys.front();
    if (gone) {
      keys.erase(keys.begin());
      node.primary.remove("signer/softtoken/" + old + ".p12");
    }
    keys.push_back(id);
    node.token(id, "key").keyconf(keys);
    const Seen seen = node.seen();
    const auto index = std::find(seen.begin(), seen.end(), "signer/keyconf.xml moved-in");
    REQUIRE(index != seen.end());
    CHECK(std::count_if(seen.begin(), seen.end(), [](const std::string& line) {
            return line.rfind("signer/keyconf.xml", 0) == 0;
          }) == 1);
    CHECK(std::find(seen.begin(), index, "signer/softtoken/" + id + ".p12 moved-in") != index);
    const auto removed =
        std::find(seen.begin(), seen.end(), "signer/softtoken/" + old + ".p12 deleted");
    CHECK((removed > index) == true);
    CHECK((removed != seen.end()) == gone);
  }
}
