// SPDX-License-Identifier: MIT
#include "sync/wildmatch.h"

#include <random>

#include "base/error.h"
#include "protocol/limits.h"
#include "tests/support/catch.h"
#include "tests/support/setting.h"

using namespace xs;

namespace {

struct Case {
  const char* pattern;
  const char* text;
  bool match;
};

// What the header promises, said as plainly as possible and as slowly as it may be.
bool set_takes(std::string_view members, unsigned char byte) {
  return members.find(static_cast<char>(byte)) != std::string_view::npos;
}

bool slow_match(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    const bool crosses = pattern.substr(0, 2) == "**";
    const std::string_view rest = pattern.substr(
        pattern.find_first_not_of('*') == std::string_view::npos ? pattern.size()
                                                                 : pattern.find_first_not_of('*'));
    for (std::size_t i = 0;; ++i) {
      if (slow_match(rest, text.substr(i))) return true;
      if (i == text.size() || (!crosses && text[i] == '/')) return false;
    }
  }
  if (text.empty()) return false;
  if (pattern[0] == '?') return text[0] != '/' && slow_match(pattern.substr(1), text.substr(1));
  if (pattern[0] == '[') {  // the generator writes "[ab]" and "[!ab]" only
    const bool negated = pattern[1] == '!';
    const std::size_t end = pattern.find(']');
    const std::string_view members = pattern.substr(negated ? 2 : 1, end - (negated ? 2 : 1));
    return text[0] != '/' && set_takes(members, static_cast<unsigned char>(text[0])) != negated &&
           slow_match(pattern.substr(end + 1), text.substr(1));
  }
  return pattern[0] == text[0] && slow_match(pattern.substr(1), text.substr(1));
}

bool slow_match_after_slash(std::string_view pattern, std::string_view text) {
  for (std::size_t at = 0;; ++at) {
    if ((at == 0 || text[at - 1] == '/') && slow_match(pattern, text.substr(at))) return true;
    if (at == text.size()) return false;
  }
}

std::string repeat(std::string_view piece, std::size_t bytes) {
  std::string text;
  while (text.size() + piece.size() <= bytes) text += piece;
  return text;
}

}  // namespace

TEST_CASE("wildmatch: stars, question marks and escapes match as rsync's do", "[sync]") {
  static const Case kCases[] = {
      {"", "", true},
      {"", "x", false},
      {"key", "key", true},
      {"key", "keys", false},
      {"keys", "key", false},
      {"k?y", "key", true},
      {"k?y", "k/y", false},
      {"?", "", false},
      {"??", "\xc3\xa9", true},
      {"?", "\xc3\xa9", false},
      {"*", "", true},
      {"*", "anything.at-all", true},
      {"*", "a/b", false},
      {"*/*", "a/b", true},
      {"*/*", "a/b/c", false},
      {"**", "a/b/c", true},
      {"**", "", true},
      {"****", "a/b", true},
      {"a**z", "az", true},
      {"a**z", "a/q/z", true},
      {"a*z", "a/z", false},
      {"a*/z", "abc/z", true},
      {"*.ini", ".ini", true},
      {"*.ini", "node.ini.bak", false},
      {"*a*b*c", "xaxbxc", true},
      {"*a*b*c", "xaxcxb", false},
      {"*ab*ab", "abab", true},
      {"*ab*ab", "abxxab", true},
      {"*ab*ab", "ab", false},
      {"*/k*y/**x", "d/key/p/q/x", true},
      {"*/k*y/**x", "d/k/y/p/x", false},
      {"**/a*b/*c", "q/w/ab/c", true},
      {"**/a*b/*c", "q/w/ab/d/c", false},
      {"\\*", "*", true},
      {"\\*", "x", false},
      {"a\\bc*", "abc", true},
      {"a\\\\b*", "a\\bcd", true},
      {"*\\", "a\\", false},
      {"*\\", "a", false},
      {"\\[a]", "[a]", true},
  };
  for (const Case& each : kCases) {
    INFO("pattern " << each.pattern << " text " << each.text);
    CHECK(Wildcard(each.pattern).matches(each.text) == each.match);
  }
}

TEST_CASE("wildmatch: a set takes exactly the bytes that it names", "[sync]") {
  static const Case kCases[] = {
      {"[abc]", "b", true},
      {"[abc]", "d", false},
      {"[b-d]", "c", true},
      {"[b-d]", "e", false},
      {"[d-b]", "d", true},
      {"[d-b]", "b", false},
      {"[d-b]", "c", false},
      {"[!b-d]", "c", false},
      {"[^b-d]", "a", true},
      {"[!a]", "/", false},
      {"[/]", "/", false},
      {"[.-0]", "/", false},
      {"[!a]", "\xc3", true},
      {"[]]", "]", true},
      {"[]a]", "a", true},
      {"[!]]", "]", false},
      {"[!]]", "x", true},
      {"[a-]", "-", true},
      {"[-a]", "-", true},
      {"[a-c-e]", "-", true},
      {"[a-c-e]", "d", false},
      {"[a-c-e]", "e", true},
      {"[--0]", "-", true},
      {"[--0]", ".", true},
      {"[--0]", "1", false},
      {"[\\]]", "]", true},
      {"[\\a-c]", "b", true},
      {"[a-\\c]", "b", true},
      {"[\\\\]", "\\", true},
      {"[[]", "[", true},
      {"[[:digit:]]", "7", true},
      {"[[:digit:]]", "a", false},
      {"[[:digit:]-z]", "-", true},
      {"[[:digit:]-z]", "y", false},
      {"[[:upper:][:digit:]]", "Q", true},
      {"[![:space:]]", "\t", false},
      {"[[:alpha:]]", "\xe9", false},
      {"[[:xdigit:]]", "g", false},
      {"[[:punct:]]", "_", true},
      {"[[:cntrl:]]", "\x7f", true},
      {"[[:blank:]]", "\n", false},
      {"[[:graph:]]", " ", false},
      {"[[:print:]]", " ", true},
      {"[[:lower:]]", "Z", false},
      {"[[:alnum:]]", "Z", true},
      {"[[:a]", ":", true},
      {"[[:a]", "[", true},
      {"[[:]", ":", true},
  };
  for (const Case& each : kCases) {
    INFO("pattern " << each.pattern << " text " << each.text);
    CHECK(Wildcard(each.pattern).matches(each.text) == each.match);
  }
}

TEST_CASE("wildmatch: a malformed set matches nothing at all", "[sync]") {
  for (const char* pattern :
       {"[", "[a", "[a-", "[!", "[]", "[a\\", "[a-\\", "[[:digit:]", "[[:number:]]", "[[::]]",
        "[![:number:]]", "[[:digit:", "x*[", "**[a", "[a]["}) {
    for (const char* text : {"", "a", "[", "[a", "-", "x", "x[", "1", "]", "[a-"}) {
      INFO("pattern " << pattern << " text " << text);
      CHECK_FALSE(Wildcard(pattern).matches(text));
    }
  }
}

TEST_CASE("wildmatch: random patterns match as a plain recursive matcher does", "[sync]") {
  const auto seed = test::random_seed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  static const char* const kPieces[] = {"a", "b", "/", "*", "**", "?", "[ab]", "[!a]", "a", "b"};
  static const char kBytes[] = "aabb/";
  for (int round = 0; round < 20000; ++round) {
    std::string pattern;
    std::string text;
    for (auto i = random() % 8; i > 0; --i) pattern += kPieces[random() % 10];
    for (auto i = random() % 9; i > 0; --i) text += kBytes[random() % 5];
    INFO("pattern " << pattern << " text " << text);
    const Wildcard wildcard(pattern);
    const bool front = wildcard.matches(text) == slow_match(pattern, text);
    const bool after = wildcard.matches(text, Wildcard::Start::AfterAnySlash) ==
                       slow_match_after_slash(pattern, text);
    if (!front || !after) FAIL("differs " << (front ? "after a slash" : "from the front"));
  }
}

TEST_CASE("wildmatch: no pattern makes a match cost more than pattern times text", "[sync]") {
  const std::size_t size = limits::kFilterRule;
  const std::string texts[] = {repeat("a", limits::kPath), repeat("a/", limits::kPath),
                               repeat("ab", limits::kPath - 1) + "b"};
  const std::string patterns[] = {repeat("*a", size - 1) + "b",
                                  repeat("**a", size - 1) + "b",
                                  repeat("*a**a", size - 2) + "b*",
                                  repeat("*a*/**", size - 1) + "b",
                                  "a" + repeat("**/a*", size - 2) + "c",
                                  repeat("*[!b]", size - 1) + "b",
                                  repeat("a", 1000) + repeat("**?*", size - 1100) + "/b",
                                  "*a**" + repeat("a*", 2000) + "b**c*"};
  for (const std::string& pattern : patterns) {
    for (const std::string& text : texts) {
      for (const auto start : {Wildcard::Start::Front, Wildcard::Start::AfterAnySlash}) {
        std::uint64_t steps = 0;
        const Wildcard wildcard(pattern);
        wildcard.matches(text, start, &steps);
        INFO("pattern " << pattern.substr(0, 12) << "... of " << pattern.size() << ", text "
                        << text.substr(0, 4));
        CHECK(steps <= (pattern.size() + 1) * (text.size() + 1));
      }
    }
  }
  CHECK_THROWS_AS(Wildcard(std::string(size + 1, '*')), Error);
}
