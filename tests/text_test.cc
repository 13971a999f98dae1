// SPDX-License-Identifier: MIT
#include "base/text.h"

#include <algorithm>
#include <random>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/setting.h"

namespace xs {
namespace {

using namespace std::string_literals;

// Bytes that make trouble come up often, so that sequences of them do too.
std::string random_bytes(std::mt19937& random) {
  constexpr std::string_view kTrouble = "\\#0123789\n\x1b\xc2\x9b\xe2\x80\xae\xf0\xed\xa0";
  std::string out(random() % 40, '\0');
  for (char& c : out) {
    const bool any = random() % 3 == 0;
    c = any ? static_cast<char>(random() & 0xFF) : kTrouble[random() % kTrouble.size()];
  }
  return out;
}

}  // namespace

TEST_CASE("text: unescape gives back the bytes that escape was given", "[base]") {
  const unsigned seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50'000; ++round) {
    const std::string bytes = random_bytes(random);
    if (unescape(escape(bytes)) != bytes) FAIL("bytes " << hex(bytes));
  }
}

TEST_CASE("text: what escape lets through has no control byte, whatever came in", "[base]") {
  const unsigned seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    const std::string shown = escape(random_bytes(random));
    const bool clean = std::none_of(shown.begin(), shown.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    });
    if (!clean || shown.find("\xC2\x9B") != std::string::npos) FAIL("shown " << hex(shown));
  }
}

TEST_CASE("text: every single byte survives, and only printable ASCII stays as it is", "[base]") {
  for (int value = 0; value < 256; ++value) {
    const std::string byte(1, static_cast<char>(value));
    const bool printable = value >= 0x20 && value < 0x7F;
    CAPTURE(value);
    CHECK((escape(byte) == byte) == printable);
    CHECK(unescape(escape(byte)) == byte);
  }
}

TEST_CASE("text: escape writes three octal digits for each byte", "[base]") {
  CHECK(escape("a\nb") == "a\\#012b");
  CHECK(escape("\0"s) == "\\#000");
  CHECK(escape("\x1b[31m\x7f\xff") == "\\#033[31m\\#177\\#377");
  CHECK(escape("\t") == "\\#011");
  CHECK(escape("").empty());
}

TEST_CASE("text: a literal octal escape is told from one that was made", "[base]") {
  CHECK(escape("\\#012") == "\\#134#012");
  CHECK(unescape("\\#134#012") == "\\#012");
  CHECK(escape("\\#134#012") == "\\#134#134#012");
  for (const std::string bytes : {"\\#012", "\\\\#012", "\\#134#012", "\\#377", "\\\n", "\\#01\n",
                                  "\\#01\\#012", "\\#\\#012", "\\#000\\#000"}) {
    CAPTURE(bytes);
    CHECK(unescape(escape(bytes)) == bytes);
  }
}

TEST_CASE("text: a backslash that begins no octal escape stays", "[base]") {
  for (const std::string bytes : {"\\", "C:\\x", "\\#", "\\#01", "\\#400", "\\#018", "\\#08", "\\n",
                                  "\\#0é1", "\\012", "#012"}) {
    CAPTURE(bytes);
    CHECK(escape(bytes) == bytes);
    CHECK(unescape(bytes) == bytes);
  }
}

TEST_CASE("text: unescape reads every escape up to \\#377", "[base]") {
  CHECK(unescape("\\#000") == "\0"s);
  CHECK(unescape("x\\#012\\#377y") == "x\n\xffy");
  CHECK(unescape("\\#3777") ==
        "\xff"
        "7");
}

TEST_CASE("text: UTF-8 that people write stays", "[base]") {
  for (const std::string name : {"Énode", "日本", "👩‍🔧🇪🇪", "õäöü ŠŽ", "Ελλάδα",
                                 "עברית", "\u00A0", "\U0010FFFF", "\uD7FF", "\uE000", "\u200B",
                                 "\u2027", "\u202F", "\u2065", "\u206A", "\u200D"}) {
    CAPTURE(name);
    CHECK(escape(name) == name);
  }
}

TEST_CASE("text: code points that steer a terminal or reorder a line are escaped", "[base]") {
  for (const std::string bytes :
       {"\u0080", "\u0085", "\u009B", "\u009F", "\u061C", "\u200E", "\u200F", "\u2028", "\u2029",
        "\u202A", "\u202E", "\u2066", "\u2069", "\uFEFF"}) {
    std::string expected;
    for (const char c : bytes) expected += escape({&c, 1});
    CAPTURE(bytes);
    CHECK(escape(bytes) == expected);
    CHECK(expected.size() == bytes.size() * 5);
  }
}

TEST_CASE("text: what is not UTF-8 is escaped, byte by byte", "[base]") {
  const std::string invalid[] = {"\x80",
                                 "\xBF",  // no lead
                                 "\xC0\xAF",
                                 "\xC1\xBF",  // overlong, two bytes
                                 "\xE0\x80\xAF",
                                 "\xE0\x9F\xBF",  // overlong, three
                                 "\xF0\x80\x80\xAF",
                                 "\xF0\x8F\xBF\xBF",  // overlong, four
                                 "\xED\xA0\x80",
                                 "\xED\xBF\xBF",  // surrogates
                                 "\xF4\x90\x80\x80",
                                 "\xF5\x80\x80\x80",
                                 "\xF8\x88\x80\x80\x80",
                                 "\xFE",
                                 "\xFF",
                                 "\xC3",
                                 "\xE6\x97",
                                 "\xF0\x9F\x91"};  // cut off
  for (const std::string& bytes : invalid) {
    CAPTURE(hex(bytes));
    CHECK(escape(bytes).size() == bytes.size() * 5);
    CHECK(unescape(escape(bytes)) == bytes);
  }
}

TEST_CASE("text: an invalid byte does not swallow what follows it", "[base]") {
  CHECK(escape("\xC3(") == "\\#303(");
  CHECK(escape("\xE6\x97x") == "\\#346\\#227x");
  CHECK(escape("\xE6\nx") == "\\#346\\#012x");
  CHECK(escape("\xF0\xC3\xA9") == "\\#360é");
  CHECK(escape("é\xA9") == "é\\#251");
}

TEST_CASE("text: quote is escape between single quotes", "[base]") {
  CHECK(quote("") == "''");
  CHECK(quote("a b") == "'a b'");
  CHECK(quote("a\x1b\n") == "'a\\#033\\#012'");
}

TEST_CASE("text: excerpt has dots only where something was cut", "[base]") {
  CHECK(excerpt("", 0).empty());
  CHECK(excerpt("a", 0) == "...");
  CHECK(excerpt("abc", 4) == "abc");
  CHECK(excerpt("abc", 3) == "abc");
  CHECK(excerpt("abc", 2) == "ab...");
}

TEST_CASE("text: excerpt counts bytes before they are escaped, and escapes a cut character",
          "[base]") {
  CHECK(excerpt("\n\n\n", 2) == "\\#012\\#012...");
  CHECK(excerpt("aé", 2) == "a\\#303...");
  CHECK(excerpt("aé", 3) == "aé");
}

TEST_CASE("text: hex gives two lower-case digits a byte", "[base]") {
  CHECK(hex("").empty());
  CHECK(hex("\x00\x0f\xf0\xffz"s) == "000ff0ff7a");
}

TEST_CASE("text: trim cuts blanks at both ends and none inside", "[base]") {
  CHECK(trim("").empty());
  CHECK(trim(" \t\r\n\v\f").empty());
  CHECK(trim("\t a b \r\n") == "a b");
  CHECK(trim("a") == "a");
  CHECK(trim("\0 "s) == "\0"s);
  CHECK(trim("\u00A0x") == "\u00A0x");
}

TEST_CASE("text: parse_number takes a whole decimal number and nothing else", "[base]") {
  CHECK(parse_number("0") == 0U);
  CHECK(parse_number("007") == 7U);
  CHECK(parse_number("18446744073709551615") == 18446744073709551615ULL);
  for (const std::string text :
       {"", " ", "-1", "-0", "+1", " 1", "1 ", "1x", "x1", "0x10", "1.0", "1e3",
        "18446744073709551616", "99999999999999999999999", "1\n", "٣"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_number(text));
  }
  CHECK_FALSE(parse_number("1\0"s));
  CHECK_FALSE(parse_number({}));
}

TEST_CASE("text: what is escaped once is not escaped again", "[base]") {
  for (const std::string& bytes :
       {std::string("a\nb"), std::string("\\#012"), std::string("\xff\\"), std::string("\\"),
        std::string("caf\xc3\xa9"), std::string()}) {
    const std::string once = escape(bytes);
    CHECK(escape_again(once) == once);
    CHECK(escape_again("x\n" + once) == "x\\#012" + once);
  }
}

TEST_CASE("text: only whole and shortest sequences are UTF-8", "[base]") {
  for (const char* const text :
       {"", "plain\n\x1b", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    CHECK(is_utf8(text));
  }
  for (const char* const text :
       {"\xff", "\xc3", "a\xc3(", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    CHECK_FALSE(is_utf8(text));
  }
}

}  // namespace xs
