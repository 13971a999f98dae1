// SPDX-License-Identifier: MIT
// Wildcard and PathPattern: does a name match a pattern of rsync's filter language? Pure; bytes in,
// bool out. Called by the filter for every rule and every name, on both sides, with patterns that a
// peer may have chosen: one match costs at most (bytes of the text) x (bytes of the pattern) steps,
// whatever the two hold. A pattern that cannot match anything (an unclosed class, an unknown class
// name, a trailing backslash) is no error: it matches nothing, as in rsync.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xs {

// The whole text against the whole pattern:
//   ?    one byte, not '/'              *    any bytes but '/'           **   any bytes
//   [..] one byte of a set, not '/': ranges by byte value, '!' or '^' negates, ']' first is itself,
//   [:alpha:] etc. \x   the byte x, also inside a set
class Wildcard {
 public:
  enum class Start : std::uint8_t { Front, AfterAnySlash };  // where in the text a match may begin

  explicit Wildcard(std::string_view pattern);

  // The match ends where the text ends. `steps`, where given, grows by the number of (pattern
  // position, text byte) pairs looked at.
  bool matches(std::string_view text, Start start = Start::Front,
               std::uint64_t* steps = nullptr) const;

 private:
  enum class Kind : std::uint8_t { Byte, Any, Set, Star, StarStar };
  struct Token {
    Kind kind;
    std::uint8_t byte = 0;
    std::uint32_t set = 0;  // into sets_
  };
  using Set = std::bitset<256>;

  void compile(std::string_view pattern);
  bool is_star(std::size_t at) const;
  bool takes(const Token& token, unsigned char byte) const;
  struct Search;

  bool fixed(std::size_t token, std::size_t count, std::string_view text,
             std::uint64_t& steps) const;
  bool begins(const Search& search, std::size_t at) const;
  bool one_star(const Search& search) const;
  bool many_stars(const Search& search) const;
  struct Bits;
  bool advance(const Bits& now, Bits& next, unsigned char byte, std::uint64_t& steps) const;

  std::vector<Token> tokens_;
  std::vector<Set> sets_;
  std::size_t head_ = 0;  // tokens before the first star; all of them when there is none
  std::size_t tail_ = 0;  // tokens after the last star
  bool never_ = false;
};

// One name, laid out once so that every way of looking at it is a piece of `whole`.
struct PathSubject {
  std::string_view whole;  // "/absolute/root" + "/" + "path/below/it" + "/"
  std::size_t root = 0;    // bytes of "/absolute/root" (0 when the root is "/")
  std::size_t last = 0;    // where the last component begins
  bool is_dir = false;
};

// The pattern of one rule, with rsync's rules about slashes: which part of the path is compared.
class PathPattern {
 public:
  // The pattern has lost its trailing slash to `dirs_only`. `absolute`: compared with the absolute
  // path. `base`: where the rule came from a per-directory file, that directory's absolute path; a
  // leading slash then stands for it. The base is compared byte for byte, whatever wildcards the
  // directory's name holds.
  PathPattern(std::string_view pattern, bool dirs_only, bool absolute, std::string_view base);

  // `steps`, where given, grows as with a Wildcard, by one at least.
  bool matches(const PathSubject& subject, std::uint64_t* steps = nullptr) const;

 private:
  enum class Mode : std::uint8_t { LastName, LastNames, WholePath };

  std::optional<std::string_view> text_of(const PathSubject& subject) const;

  std::string base_;
  std::string literal_;         // the pattern, when it has no wildcard
  std::vector<Wildcard> wild_;  // one or none
  std::size_t slashes_ = 0;
  Mode mode_ = Mode::WholePath;
  Wildcard::Start start_ = Wildcard::Start::Front;
  bool dirs_only_;
  bool absolute_;
  bool slash_in_front_ =
      false;  // "**..." at the front is compared with "/path", so that "**/x" finds a top "x"
  bool slash_behind_ = false;  // "...***" is compared with "path/" where the path is a directory
};

}  // namespace xs
