// SPDX-License-Identifier: MIT
#include "sync/id_map.h"

#include <optional>
#include <string>
#include <vector>

#include "sync/transfer_policy.h"
#include "tests/support/catch.h"

using namespace xs;

TEST_CASE("id_map: a map that cannot be is refused with its place", "[sync]") {
  const auto known = [](const Principal& one) -> std::optional<std::uint32_t> {
    if (one.name == "xroad") return 990;
    return std::nullopt;
  };
  for (const char* spec : {"", "x", "x:", "0-:3", "1-2-3:3", "0x:3", "a:nobody?", "5-1:2", ",",
                           "a:1,", "a:1,,b:2", "a:4294967295", "1:99999999999"}) {
    INFO(spec);
    CHECK_THROWS_AS(IdMap("--usermap", spec, known), Error);
  }
  const IdMap map("--usermap", "10-20:1,r?ot:2,:3,*x:xroad", known);
  CHECK(map.find({"root", 15}) == 1U);
  CHECK(map.find({"root", 0}) == 2U);
  CHECK(map.find({"", 7}) == 3U);
  CHECK(map.find({"max", 7}) == 990U);
  CHECK_FALSE(map.find({"other", 7}));
  TransferRules rules;
  add_chown(rules, ":g");
  CHECK(rules.user_maps.empty());
  CHECK(rules.group_maps == std::vector<std::string>{"*:g"});
  CHECK_THROWS_AS(add_chown(rules, "a,b"), Error);
  rules.group_maps.emplace_back("*:h");
  CHECK_THROWS_AS(TransferPolicy(rules, {}, 022), Error);
}
