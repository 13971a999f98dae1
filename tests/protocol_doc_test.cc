// SPDX-License-Identifier: MIT
// The tables of PROTOCOL.md against the code that they describe.
#include <utility>

#include "base/text.h"
#include "protocol/codec.h"
#include "protocol/limits.h"
#include "protocol/preamble.h"
#include "tests/support/catch.h"
#include "tests/support/markdown.h"

using namespace xs;

namespace {

using test::MarkdownRow;

std::vector<MarkdownRow> table(const std::string& heading) {
  const auto rows =
      test::markdown_table(test::document("protocol/PROTOCOL.md"), "\n## " + heading + "\n");
  REQUIRE_FALSE(rows.empty());
  return rows;
}

std::string side_name(Side side) {
  return side == Side::Client ? "client" : side == Side::Server ? "server" : "both";
}

}  // namespace

TEST_CASE("protocol: the message table of PROTOCOL.md is that of the code", "[protocol]") {
  const auto rows = table("Messages");
  CHECK(rows.size() == std::variant_size_v<Message>);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Spec* spec = find_spec(static_cast<std::uint8_t>(i + 1));
    REQUIRE(spec != nullptr);
    const MarkdownRow expected{std::to_string(spec->number), std::string(spec->name),
                               side_name(spec->sender), std::to_string(spec->limit)};
    CHECK(MarkdownRow(rows[i].begin(), rows[i].begin() + 4) == expected);
  }
}

TEST_CASE("protocol: the feature table of PROTOCOL.md is that of the code", "[protocol]") {
  const std::vector<std::pair<Feature, std::string>> known{{Feature::Zstd, "zstd"},
                                                           {Feature::Xattrs, "xattrs"},
                                                           {Feature::Hardlinks, "hardlinks"},
                                                           {Feature::Specials, "specials"}};
  const auto rows = table("Features");
  REQUIRE(rows.size() == known.size());
  Features all;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i][0] == std::to_string(static_cast<std::uint32_t>(known[i].first)));
    CHECK(rows[i][1] == known[i].second);
    all = all | Features{known[i].first};
  }
  CHECK(all == kOurFeatures);
}

TEST_CASE("protocol: the limit table of PROTOCOL.md is that of the code", "[protocol]") {
  const auto rows = table("Limits");
  REQUIRE(rows.size() == limits::kTable.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const limits::Limit& limit = limits::kTable[i];
    CHECK(rows[i] == MarkdownRow{std::string(limit.name), std::to_string(limit.value),
                                 std::string(limit.what)});
  }
}

TEST_CASE("protocol: the magic of PROTOCOL.md is that of the code", "[protocol]") {
  CHECK(test::document("protocol/PROTOCOL.md").find("`F5 \"XRSYNC\" 31`") != std::string::npos);
  CHECK(kMagic == std::string_view("\xF5XRSYNC1"));
  CHECK(hex(kMagic) == "f55852" + hex("SYNC1"));
}
