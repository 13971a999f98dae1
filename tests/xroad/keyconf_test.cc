// SPDX-License-Identifier: MIT
#include "sync/xroad/keyconf.h"

#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"
#include "tests/support/thrown.h"
#include "tests/xroad/keyconfs.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

using Names = std::vector<std::string>;

TEST_CASE("keyconf: the keys of the software token are told from those of others", "[xroad]") {
  const Keyconf keyconf =
      parse_keyconf(keyconf_xml(device_xml("softToken", {"AA01", "BB02"}) +
                                device_xml("utimaco", {"CC03"}) + device_xml("softToken", {})));
  CHECK(keyconf.ok());
  CHECK(keyconf.soft_keys == Names{"AA01", "BB02"});
  CHECK(keyconf.hsm_keys == Names{"utimaco: CC03"});
}

TEST_CASE("keyconf: the namespace may have another prefix or none", "[xroad]") {
  const std::string devices = device_xml("softToken", {"AA01"});
  CHECK(parse_keyconf("<keyConf xmlns='http://x-road.eu/xsd/xroad.xsd'>" + devices + "</keyConf>")
            .soft_keys == Names{"AA01"});
  CHECK(parse_keyconf("<x:keyConf>" + devices + "</x:keyConf>").soft_keys == Names{"AA01"});
}

TEST_CASE("keyconf: a key without an id, and an empty file of keys, name nothing", "[xroad]") {
  CHECK(parse_keyconf(soft_keyconf({""})).soft_keys.empty());
  const Keyconf empty = parse_keyconf(keyconf_xml(""));
  CHECK(empty.ok());
  CHECK(empty.soft_keys.empty());
}

TEST_CASE("keyconf: what is no keyconf says why, and names nothing", "[xroad]") {
  const auto trouble = [](const std::string& xml) {
    const Keyconf keyconf = parse_keyconf(xml);
    CHECK_FALSE(keyconf.ok());
    CHECK(keyconf.soft_keys.empty());
    return keyconf.trouble;
  };
  const std::string good = soft_keyconf({"AA01"});
  CHECK_THAT(trouble(""), Contains("no XML"));
  CHECK_THAT(trouble("PK\x03\x04"), Contains("no XML"));
  CHECK_THAT(trouble(good.substr(0, good.size() / 2)), Contains("no XML at byte"));
  CHECK_THAT(trouble("<html><device/></html>"), Contains("'html'"));
  CHECK_THAT(trouble(soft_keyconf({"../../../etc/shadow"})), Contains("cannot name a file"));
}

TEST_CASE("keyconf: every beginning of a file is a value, never a crash", "[xroad]") {
  const std::string good =
      keyconf_xml(device_xml("softToken", {"AA01"}) + device_xml("hsm", {"BB02"}));
  for (std::size_t length = 0; length + 1 < good.size(); ++length) {
    INFO("length " << length);
    CHECK_FALSE(parse_keyconf(good.substr(0, length)).ok());
  }
}

TEST_CASE("keyconf: no entity is expanded and no document type is taken", "[xroad]") {
  const std::string body = "<keyConf>" + device_xml("softToken", {"&a;"}) + "</keyConf>";
  const Keyconf bomb =
      parse_keyconf("<!DOCTYPE k [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + body);
  CHECK_THAT(bomb.trouble, Contains("document type"));
  CHECK(parse_keyconf(body).soft_keys == Names{"&a;"});
}

TEST_CASE("keyconf: a nest of a million elements ends in an answer", "[xroad]") {
  std::string deep = "<keyConf>";
  for (int i = 0; i < 1'000'000; ++i) deep += "<d>";
  CHECK_FALSE(parse_keyconf(deep).ok());
}

TEST_CASE("keyconf: missing keys are those of the software token that have no file", "[xroad]") {
  TempTree tree;
  tree.file("keyconf.xml",
            keyconf_xml(device_xml("softToken", {"AA01", "BB02"}) + device_xml("hsm", {"CC03"})));
  const Dir signer = Dir::open_root(tree.path());
  const auto keyconf = read_keyconf(signer);
  REQUIRE(keyconf);
  CHECK(missing_keys(signer, *keyconf) == Names{"softtoken/AA01.p12", "softtoken/BB02.p12"});
  tree.file("softtoken/BB02.p12");
  CHECK(missing_keys(signer, *keyconf) == Names{"softtoken/AA01.p12"});
}

TEST_CASE("keyconf: an absent file is nothing, a huge one a trouble, a closed one an error",
          "[xroad]") {
  TempTree tree;
  CHECK_FALSE(read_keyconf(Dir::open_root(tree.path())));
  tree.file("keyconf.xml", std::string(kKeyconfLimit + 1, ' '));
  CHECK_THAT(read_keyconf(Dir::open_root(tree.path()))->trouble, Contains("larger"));
  tree.file("keyconf.xml", keyconf_xml("")).mode("keyconf.xml", 0000);
  CHECK(as_nobody([&] {
          const auto error = thrown_by([&] { read_keyconf(Dir::open_root(tree.path())); });
          return error && error->fault() == Fault::Partial ? 0 : 1;
        }) == 0);
}
