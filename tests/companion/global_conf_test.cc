// SPDX-License-Identifier: MIT
#include "companion/checks/global_conf.h"

#include "tests/companion/key_node.h"
#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

struct GlobalConf {
  TempTree tree;
  std::string directory;

  explicit GlobalConf(const std::string& instance = "DEV", const std::string& encoded = "DEV")
      : directory(encoded) {
    tree.file("instance-identifier", instance);
    for (const char* part : {"shared-params.xml", "private-params.xml"}) {
      tree.file(directory + "/" + part, "<conf/>");
      metadata(part, instance, "2027-01-15T08:10:00Z");
    }
  }
  void metadata(const std::string& part, const std::string& instance, const std::string& date) {
    raw(part, R"({"contentIdentifier":"X","instanceIdentifier":")" + instance +
                  R"(","expirationDate":")" + date + R"(","configurationVersion":"6"})");
  }
  void raw(const std::string& part, const std::string& text) {
    tree.file(directory + "/" + part + ".metadata", text);
  }
  Verdict ask() {
    SteadyClock clock;
    return GlobalConfCheck({tree.path()}, [] { return kNow; }).ask(clock, clock.now());
  }
  void failing(const std::string& reason) {
    const Verdict verdict = ask();
    CHECK_FALSE(verdict.ok);
    CHECK(verdict.message == "Global configuration is expired");
    CHECK_THAT(verdict.detail, Contains(reason));
  }
};

}  // namespace

TEST_CASE("global conf: two parts with a date to come are valid", "[companion]") {
  GlobalConf conf;
  const Verdict verdict = conf.ask();
  CHECK(verdict.ok);
  CHECK(verdict.detail == "valid until 2027-01-15T08:10:00Z");
  CHECK(GlobalConfCheck({}).name() == "Global conf validity");
}

TEST_CASE("global conf: either part alone ends the validity", "[companion]") {
  const std::string part = GENERATE("shared-params.xml", "private-params.xml");
  GlobalConf conf;
  conf.metadata(part, "DEV", "2027-01-15T08:00:00Z");
  CHECK(conf.ask().ok);  // the very second
  conf.metadata(part, "DEV", "2027-01-15T07:59:59Z");
  conf.failing(part + "' expired at 2027-01-15T07:59:59Z");
  conf.metadata(part, "DEV", "2027-01-15T09:59:59.9+02:00");
  conf.failing("expired at 2027-01-15T07:59:59Z");
  conf.metadata(part, "DEV", "2027-01-15T08:01Z");
  CHECK(conf.ask().ok);
}

TEST_CASE("global conf: what cannot be read is not valid", "[companion]") {
  GlobalConf conf;
  SECTION("no instance") {
    conf.tree.remove("instance-identifier");
    conf.failing("instance-identifier': No such file");
  }
  SECTION("an empty instance") {
    conf.tree.file("instance-identifier", " \n");
    conf.failing("names no instance");
  }
  SECTION("an instance that climbs out") {
    conf.tree.file("instance-identifier", "..");
    conf.failing("is no name of an instance");
  }
  SECTION("another instance") {
    conf.tree.file("instance-identifier", "TEST");
    conf.failing("TEST/shared-params.xml'");
  }
  SECTION("no part") {
    conf.tree.remove("DEV/private-params.xml");
    conf.failing("private-params.xml': No such file");
  }
  SECTION("no metadata") {
    conf.tree.remove("DEV/private-params.xml.metadata");
    conf.failing("private-params.xml.metadata': No such file");
  }
  SECTION("metadata of another instance") {
    conf.metadata("shared-params.xml", "OTHER", "2035-01-01T00:00:00Z");
    conf.failing("belongs to the instance 'OTHER'");
  }
  SECTION("metadata that is no JSON") {
    conf.raw("shared-params.xml", "{\"expirationDate\":");
    conf.failing("no JSON object");
  }
  SECTION("metadata without a date") {
    conf.raw("shared-params.xml", "{}");
    conf.failing("no expirationDate");
  }
  SECTION("a date that is none") {
    for (const char* date :
         {"", "never", "2027-13-01T00:00:00Z", "2027-02-30T00:00:00Z", "2027-01-15T08:10:00",
          "2027-01-15T08:10:00Zulu", "2027-01-15 08:10:00Z", "2027-01-15T08:10:00+1:00"}) {
      conf.metadata("shared-params.xml", "DEV", date);
      conf.failing("its expirationDate is ");
    }
  }
  SECTION("a huge metadata file") {
    conf.raw("shared-params.xml", std::string(70'000, ' '));
    conf.failing("larger than");
  }
}

TEST_CASE("global conf: an instance's directory is named as Java encodes it", "[companion]") {
  GlobalConf conf("EE dev/\xC3\xB5*_", "EE+dev%2F%C3%B5*_");
  CHECK(conf.ask().ok);
}
