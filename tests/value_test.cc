// SPDX-License-Identifier: MIT
#include "cli/value.h"

#include "cli/nearest.h"
#include "tests/support/catch.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::cli;

TEST_CASE("value: sizes are rsync's", "[cli]") {
  CHECK(parse_size("100", 'b') == 100);
  CHECK(parse_size("100", 'k') == 102'400);
  CHECK(parse_size("1K", 'b') == 1024);
  CHECK(parse_size("1k", 'b') == 1024);
  CHECK(parse_size("1KB", 'b') == 1000);
  CHECK(parse_size("1KiB", 'b') == 1024);
  CHECK(parse_size("1.5mb", 'b') == 1'500'000);
  CHECK(parse_size("1.5mb-1", 'b') == 1'499'999);
  CHECK(parse_size("2g+1", 'b') == (std::int64_t{2} << 30) + 1);
  CHECK(parse_size("100b", 'k') == 100);
  CHECK(parse_size("1t", 'b') == std::int64_t{1} << 40);
  CHECK(parse_size("5+1", 'b') == 6);
  for (const char* bad : {"", "K", "1Ki", "10q", "1k+2", "-1", "1..5", "99999999p", "1 k", "0-1"}) {
    INFO(bad);
    const auto error = test::thrown_by([&] { parse_size(bad, 'b'); });
    REQUIRE(error);
    CHECK(error->fault() == Fault::Usage);
  }
}

TEST_CASE("value: a time has a unit or is in seconds, and keeps to its range", "[cli]") {
  const auto milliseconds = [](const char* text) {
    return parse_value(Kind::Duration, "1..3600", text).number;
  };
  CHECK(milliseconds("10") == 10'000);
  CHECK(milliseconds("10s") == 10'000);
  CHECK(milliseconds("1500ms") == 1500);
  CHECK(milliseconds("2min") == 120'000);
  CHECK(milliseconds("1h") == 3'600'000);
  for (const char* bad :
       {"0", "999ms", "2h", "ten", "10 parsecs", "-1", "", "99999999999999999999"})
    CHECK(test::thrown_by([&] { milliseconds(bad); }));
}

TEST_CASE("value: what is refused is answered with what would do", "[cli]") {
  const auto said = [](Kind kind, const char* range, const char* text) {
    const auto error = test::thrown_by([&] { parse_value(kind, range, text); });
    REQUIRE(error);
    return error->text();
  };
  CHECK(said(Kind::Flag, "", "perhaps") == "'perhaps' is not yes or no");
  CHECK(said(Kind::Number, "0..100", "101") == "'101' is not a number from 0 to 100");
  CHECK(said(Kind::Choice, "auto|quick", "quik") ==
        "'quik' is not one of auto, quick (did you mean 'quick'?)");
  CHECK(said(Kind::Path, "absolute", "a/b") == "'a/b' is not an absolute path");
}

TEST_CASE("nearest: a slip of the finger finds its word, another word does not", "[cli]") {
  CHECK(nearest("--exlude", {"--exclude", "--include"}) == "--exclude");
  CHECK(nearest("hots", {"host", "user"}) == "host");
  CHECK(nearest("zebra", {"host", "user"}).empty());
  CHECK(nearest(std::string(1 << 16, 'x'), {"host"}).empty());
}
