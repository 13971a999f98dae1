// SPDX-License-Identifier: MIT
#include "sync/report/events.h"

#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <vector>

#include "base/io.h"
#include "base/text.h"
#include "tests/support/catch.h"

namespace xs {
namespace {

using nlohmann::json;

// As much of JSON Schema as our schema uses; a word that it does not know is a failure.
class Schema {
 public:
  explicit Schema(json root) : root_(std::move(root)) {}

  std::string fault(const json& value) const { return fault(value, root_); }

 private:
  std::string fault(const json& value, const json& schema) const {
    if (schema.is_boolean()) return schema.get<bool>() ? "" : "nothing may stand here";
    for (const auto& [word, rule] : schema.items()) {
      const std::string found = check(word, rule, value, schema);
      if (!found.empty()) return word + ": " + found;
    }
    return "";
  }

  std::string check(const std::string& word, const json& rule, const json& value,
                    const json& schema) const {
    static const std::set<std::string> kSilent{"$schema", "title", "definitions"};
    if (kSilent.count(word) != 0) return "";
    if (word == "$ref")
      return fault(value, root_.at(json::json_pointer(rule.get<std::string>().substr(1))));
    if (word == "const") return value == rule ? "" : value.dump();
    if (word == "enum")
      return std::find(rule.begin(), rule.end(), value) != rule.end() ? "" : value.dump();
    if (word == "type") return is_of(value, rule) ? "" : value.dump();
    if (word == "minimum") return value >= rule ? "" : value.dump();
    if (word == "pattern") {
      if (!value.is_string()) return "";  // "type" says so
      return std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>()))
                 ? ""
                 : value.dump();
    }
    if (word == "required") return missing(value, rule);
    if (word == "properties") return properties(value, rule);
    if (word == "additionalProperties") return unknown(value, schema.at("properties"));
    if (word == "oneOf") return one_of(value, rule);
    throw std::runtime_error("the test does not know the schema word " + word);
  }

  static bool is_of(const json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "string") return value.is_string();
    if (type == "integer") return value.is_number_integer();
    return type == "boolean" && value.is_boolean();
  }
  static std::string missing(const json& value, const json& names) {
    for (const json& name : names) {
      if (!value.contains(name.get<std::string>())) return name;
    }
    return "";
  }
  std::string properties(const json& value, const json& rules) const {
    for (const auto& [name, rule] : rules.items()) {
      const std::string found = value.contains(name) ? fault(value.at(name), rule) : "";
      if (!found.empty()) return name + ": " + found;
    }
    return "";
  }
  static std::string unknown(const json& value, const json& rules) {
    for (const auto& [name, ignored] : value.items()) {
      if (!rules.contains(name)) return name;
    }
    return "";
  }
  std::string one_of(const json& value, const json& rules) const {
    std::string all;
    int fitting = 0;
    for (const json& rule : rules) {
      const std::string found = fault(value, rule);
      if (found.empty()) ++fitting;
      all += found + "; ";
    }
    return fitting == 1 ? "" : std::to_string(fitting) + " fit: " + all;
  }

  json root_;
};

Schema shipped() {
  return Schema(
      json::parse(read_file(std::string(XS_SOURCE_DIR) + "/docs/events.schema.json", 1 << 20)));
}

struct Written {
  std::vector<std::string> lines;
  EventWriter events{[this](std::string_view line) { lines.emplace_back(line); }, 0xabcdef,
                     [] { return WallTime(std::chrono::milliseconds(1'700'000'000'042)); }};
  json last() const { return json::parse(lines.back()); }
};

ChangeDetail file(const std::string& path) {
  ChangeDetail detail;
  detail.change.path = path;
  detail.change.created = true;
  detail.size = 9;
  return detail;
}

void every_kind(EventWriter& events) {
  events.run_start("1.0", "ss1:/etc/xroad", "/etc/xroad", false);
  events.connected("ss1", "192.0.2.1", "1.0");
  events.plan(1, 2, 3);
  events.file(file("signer/key.p12"), {});
  ChangeDetail link = file("l");
  link.change.type = EntryType::Symlink;
  link.target = "t\xff";
  events.file(link, {});
  ChangeDetail gone = file("odd\xff\n");
  gone.change.deleted = true;
  events.file(gone, {});
  events.commit(Digest{}, std::chrono::milliseconds(5));
  events.hook("10-notify", 1);
  events.notice("pin-changed", "the PIN changed");
  events.warning("left alone", "a\xff");
  events.warning("slow");
  for (const FaultInfo& info : kFaults) events.error(Error(info.fault, "what", 5), "x");
  events.error(Error(Fault::Io, "what"));
  events.run_end({"ok", 0, true, std::chrono::seconds(1), 7, 8});
}

TEST_CASE("events: every kind is what the shipped schema says", "[report]") {
  Written written;
  every_kind(written.events);
  const Schema schema = shipped();
  std::set<std::string> kinds;
  for (const std::string& line : written.lines) {
    INFO(line);
    CHECK(line.find('\n') == line.size() - 1);
    const json event = json::parse(line);
    CHECK(schema.fault(event) == "");
    kinds.insert(event.at("event"));
  }
  CHECK(kinds.size() == 10);
}

TEST_CASE("events: the schema refuses what is not an event", "[report]") {
  Written written;
  every_kind(written.events);
  const Schema schema = shipped();
  for (const std::string& line : written.lines) {
    const json event = json::parse(line);
    for (const auto& [name, value] : event.items()) {
      INFO(line << " without " << name);
      const bool optional =
          name == "target" || name == "path_b64" || (name == "path" && event.at("event") != "file");
      json less = event;
      less.erase(name);
      CHECK((schema.fault(less) == "") == optional);
      json other = event;
      other[name] = json::array();
      CHECK(schema.fault(other) != "");
    }
    json more = event;
    more["extra"] = 1;
    CHECK(schema.fault(more) != "");
  }
}

TEST_CASE("events: each has version, kind, UTC time and run", "[report]") {
  Written written;
  written.events.plan(1, 2, 3);
  CHECK(written.lines.at(0) ==
        "{\"v\":1,\"event\":\"plan\",\"ts\":\"2023-11-14T22:13:20.042Z\","
        "\"run_id\":\"0000000000abcdef\",\"files\":1,\"bytes\":2,\"deletes\":3}\n");
}

TEST_CASE("events: any name comes back, and none reaches a terminal", "[report]") {
  for (const std::string name : {"plain", "caf\xc3\xa9", "esc\x1b[31m", "\xc2\x9b", "\xe2\x80\xae",
                                 "a\nb", "\xff", "\xc3\x28"}) {
    Written written;
    written.events.file(file(name), {});
    const std::string& line = written.lines.at(0);
    CHECK(std::all_of(line.begin(), line.end() - 1, [](char c) { return c >= 0x20 && c < 0x7F; }));
    if (is_utf8(name)) {
      CHECK(written.last().at("path") == name);
      CHECK_FALSE(written.last().contains("path_b64"));
    } else {
      CHECK(unescape(written.last().at("path").get<std::string>()) == name);
      CHECK(written.last().at("path_b64") == base64(name));
    }
  }
}

TEST_CASE("events: base64 is that of RFC 4648", "[report]") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xff\xfe\xfd") == "//79");
}

TEST_CASE("events: every class of failure has something to do", "[report]") {
  std::set<std::string_view> hints;
  for (const FaultInfo& info : kFaults) {
    CHECK(hint_for(info.fault).size() > 20);
    hints.insert(hint_for(info.fault));
  }
  CHECK(hints.size() >= kFaults.size() - 2);
}

TEST_CASE("events: times before 1970 and their milliseconds are right", "[report]") {
  CHECK(rfc3339(WallTime(std::chrono::milliseconds(-1))) == "1969-12-31T23:59:59.999Z");
  CHECK(rfc3339(WallTime{}) == "1970-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace xs
