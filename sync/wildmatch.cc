// SPDX-License-Identifier: MIT
#include "sync/wildmatch.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "protocol/limits.h"

namespace xs {
namespace {

constexpr std::size_t kMaxTokens = limits::kFilterRule;
constexpr std::size_t kWords = kMaxTokens / 64 + 1;

// The C locale's classes on bytes, whatever locale the program runs in.
bool in_class(std::string_view name, unsigned c) {
  const bool upper = c >= 'A' && c <= 'Z';
  const bool lower = c >= 'a' && c <= 'z';
  const bool digit = c >= '0' && c <= '9';
  const bool alnum = upper || lower || digit;
  const bool print = c >= 0x20 && c < 0x7f;
  if (name == "alnum") return alnum;
  if (name == "alpha") return upper || lower;
  if (name == "blank") return c == ' ' || c == '\t';
  if (name == "cntrl") return c < 0x20 || c == 0x7f;
  if (name == "digit") return digit;
  if (name == "graph") return print && c != ' ';
  if (name == "lower") return lower;
  if (name == "print") return print;
  if (name == "punct") return print && c != ' ' && !alnum;
  if (name == "space") return c == ' ' || (c >= '\t' && c <= '\r');
  if (name == "upper") return upper;
  return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

constexpr std::array<std::string_view, 12> kClasses = {"alnum", "alpha", "blank", "cntrl",
                                                       "digit", "graph", "lower", "print",
                                                       "punct", "space", "upper", "xdigit"};

// Reads "[...]". Each step consumes one member and remembers it in prev_, because a '-' is a range
// only between two single bytes: not behind a range, a named class, or at either end.
class SetParser {
 public:
  SetParser(std::string_view pattern, std::size_t at) : pattern_(pattern), at_(at) {}

  // Nothing: malformed. Otherwise at() is the closing bracket.
  std::optional<std::bitset<256>> parse() {
    ++at_;
    const bool negated = peek() == '!' || peek() == '^';
    if (negated) ++at_;
    do {
      if (at_ >= pattern_.size() || !member()) return std::nullopt;
      ++at_;
    } while (peek() != ']');
    if (negated) set_.flip();
    set_.reset('/');
    return set_;
  }
  std::size_t at() const { return at_; }

 private:
  int peek(std::size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? static_cast<unsigned char>(pattern_[at_ + ahead]) : -1;
  }
  void single(int byte) {
    set_.set(static_cast<std::size_t>(byte));
    prev_ = byte;
  }

  bool member() {
    const int c = peek();
    if (c == '\\') {
      ++at_;
      if (peek() < 0) return false;
      single(peek());
      return true;
    }
    if (c == '-' && prev_ > 0 && peek(1) >= 0 && peek(1) != ']') return range();
    if (c == '[' && peek(1) == ':') return named();
    single(c);
    return true;
  }

  bool range() {
    ++at_;
    if (peek() == '\\') ++at_;
    if (peek() < 0) return false;
    for (int c = prev_; c <= peek(); ++c) set_.set(static_cast<std::size_t>(c));
    prev_ = -1;
    return true;
  }

  bool named() {
    const std::size_t begin = at_ + 2;
    const std::size_t end = pattern_.find(']', begin);
    if (end == std::string_view::npos) return false;
    if (end == begin || pattern_[end - 1] != ':') {  // "[[:a]" is a set of '[', ':' and 'a'
      single('[');
      return true;
    }
    const std::string_view name = pattern_.substr(begin, end - 1 - begin);
    if (std::find(kClasses.begin(), kClasses.end(), name) == kClasses.end()) return false;
    for (unsigned c = 0; c < 256; ++c) {
      if (in_class(name, c)) set_.set(c);
    }
    at_ = end;
    prev_ = -1;
    return true;
  }

  std::string_view pattern_;
  std::size_t at_;
  std::bitset<256> set_;
  int prev_ = -1;
};

}  // namespace

Wildcard::Wildcard(std::string_view pattern) {
  if (pattern.size() > kMaxTokens) {
    throw Error(Fault::Usage, "a pattern of " + std::to_string(pattern.size()) +
                                  " bytes is too long (at most " + std::to_string(kMaxTokens) +
                                  ")");
  }
  compile(pattern);
  while (head_ < tokens_.size() && !is_star(head_)) ++head_;
  if (head_ == tokens_.size()) return;
  while (!is_star(tokens_.size() - 1 - tail_)) ++tail_;
}

void Wildcard::compile(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size() && !never_; ++at) {
    const auto c = static_cast<std::uint8_t>(pattern[at]);
    if (c == '?') {
      tokens_.push_back({Kind::Any});
    } else if (c == '*') {
      const std::size_t begin = at;
      while (at + 1 < pattern.size() && pattern[at + 1] == '*') ++at;
      tokens_.push_back({at > begin ? Kind::StarStar : Kind::Star});
    } else if (c == '[') {
      SetParser parser(pattern, at);
      if (const auto set = parser.parse()) {
        tokens_.push_back({Kind::Set, 0, static_cast<std::uint32_t>(sets_.size())});
        sets_.push_back(*set);
        at = parser.at();
      } else {
        never_ = true;
      }
    } else if (c == '\\') {
      if (++at == pattern.size()) {
        never_ = true;
      } else {
        tokens_.push_back({Kind::Byte, static_cast<std::uint8_t>(pattern[at])});
      }
    } else {
      tokens_.push_back({Kind::Byte, c});
    }
  }
}

bool Wildcard::is_star(std::size_t at) const {
  return tokens_[at].kind == Kind::Star || tokens_[at].kind == Kind::StarStar;
}

bool Wildcard::takes(const Token& token, unsigned char byte) const {
  switch (token.kind) {
    case Kind::Byte: return byte == token.byte;
    case Kind::Set: return sets_[token.set][byte];
    case Kind::Any:
    case Kind::Star: return byte != '/';
    case Kind::StarStar: return true;
  }
  return false;
}

bool Wildcard::fixed(std::size_t token, std::size_t count, std::string_view text,
                     std::uint64_t& steps) const {
  for (std::size_t i = 0; i < count; ++i) {
    ++steps;
    if (!takes(tokens_[token + i], static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

struct Wildcard::Search {
  std::string_view text;  // without what the tail takes
  Start start;
  std::uint64_t& steps;
};

// May a match begin at `at`, judged by what stands there and by the tokens before the first star?
bool Wildcard::begins(const Search& search, std::size_t at) const {
  if (at > 0 && (search.start == Start::Front || search.text[at - 1] != '/')) return false;
  return fixed(0, head_, search.text.substr(at), search.steps);
}

// What stands before the first star and behind the last one has a fixed length, so it is compared
// in place; that settles nearly every name without a search.
bool Wildcard::matches(std::string_view text, Start start, std::uint64_t* steps) const {
  std::uint64_t ignored = 0;
  std::uint64_t& count = steps != nullptr ? *steps : ignored;
  if (never_ || text.size() < head_ + tail_) return false;
  if (head_ == tokens_.size()) return begins({text, start, count}, text.size() - head_);
  const std::size_t end = text.size() - tail_;
  if (!fixed(tokens_.size() - tail_, tail_, text.substr(end), count)) return false;
  const Search search{text.substr(0, end), start, count};
  return tokens_.size() == head_ + tail_ + 1 ? one_star(search) : many_stars(search);
}

bool Wildcard::one_star(const Search& search) const {
  const std::size_t starts = search.start == Start::Front ? 1 : search.text.size() - head_ + 1;
  std::size_t from = 0;
  if (tokens_[head_].kind == Kind::Star) {
    const std::size_t slash = search.text.rfind('/');
    if (slash != std::string_view::npos && slash >= head_) from = slash + 1 - head_;
  }
  for (std::size_t at = from; at < starts; ++at) {
    if (begins(search, at)) return true;
  }
  return false;
}

// A set of pattern positions, counted from the first star. Only the first `words` are used, and
// cleared.
struct Wildcard::Bits {
  std::array<std::uint64_t, kWords> word;
  std::size_t words = 0;

  void clear() { std::fill_n(word.begin(), words, 0); }
  void set(std::size_t at) { word[at / 64] |= std::uint64_t{1} << (at % 64); }
  bool test(std::size_t at) const { return (word[at / 64] >> (at % 64) & 1) != 0; }
};

// The positions that the text so far can have reached, moved on byte by byte: no position is looked
// at twice for one byte, so nothing in a hostile pattern can make the search explode.
bool Wildcard::many_stars(const Search& search) const {
  const std::size_t count = tokens_.size() - head_ - tail_;
  Bits bits[2];
  for (Bits& each : bits) {
    each.words = count / 64 + 1;
    each.clear();
  }
  std::size_t now = 0;
  bool alive = false;
  for (std::size_t at = head_;; ++at) {
    if (begins(search, at - head_)) {
      bits[now].set(0);
      bits[now].set(1);
      alive = true;
    }
    if (at == search.text.size()) return bits[now].test(count);
    if (!alive && search.start == Start::Front) return false;
    bits[1 - now].clear();
    alive = advance(bits[now], bits[1 - now], static_cast<unsigned char>(search.text[at]),
                    search.steps);
    now = 1 - now;
  }
}

// False when no position is left. A star is entered together with the position behind it, for the
// empty match.
bool Wildcard::advance(const Bits& now, Bits& next, unsigned char byte,
                       std::uint64_t& steps) const {
  const std::size_t count = tokens_.size() - head_ - tail_;
  bool alive = false;
  for (std::size_t word = 0; word < now.words; ++word) {
    for (std::uint64_t rest = now.word[word]; rest != 0; rest &= rest - 1) {
      const std::size_t at = word * 64 + static_cast<std::size_t>(__builtin_ctzll(rest));
      if (at == count) continue;
      ++steps;
      if (!takes(tokens_[head_ + at], byte)) continue;
      alive = true;
      const std::size_t to = is_star(head_ + at) ? at : at + 1;
      next.set(to);
      if (to < count && is_star(head_ + to)) next.set(to + 1);
    }
  }
  return alive;
}

PathPattern::PathPattern(std::string_view pattern, bool dirs_only, bool absolute,
                         std::string_view base)
    : dirs_only_(dirs_only), absolute_(absolute) {
  const bool anchored = !pattern.empty() && pattern.front() == '/';
  const bool wild = pattern.find_first_of("*[?") != std::string_view::npos;
  const std::size_t double_star = pattern.find("**");
  const bool crosses = double_star != std::string_view::npos;
  slashes_ = static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '/'));
  slash_in_front_ = double_star == 0 && !absolute;
  slash_behind_ = pattern.size() >= 3 && pattern.substr(pattern.size() - 3) == "***";
  if (slashes_ == 0 && !crosses) {
    mode_ = Mode::LastName;
  } else if (!anchored && !crosses) {
    mode_ = Mode::LastNames;
  } else if (!anchored && double_star != 0) {
    start_ = Wildcard::Start::AfterAnySlash;
  }
  if (anchored && !absolute) base_ = base;
  if (anchored) pattern.remove_prefix(1);
  if (wild) {
    wild_.emplace_back(pattern);
  } else {
    literal_ = pattern;
  }
}

// The piece of the path that the pattern has to match; nothing when there is none.
std::optional<std::string_view> PathPattern::text_of(const PathSubject& subject) const {
  std::size_t begin = subject.root + 1;
  if (!base_.empty()) {
    begin = base_.size() + 1;
    const std::string_view whole = subject.whole;
    if (whole.size() <= begin || whole[begin - 1] != '/' || whole.substr(0, begin - 1) != base_) {
      return std::nullopt;
    }
  } else if (mode_ == Mode::LastName) {
    begin = subject.last;
  } else if (absolute_) {
    begin = 1;
  } else if (slash_in_front_) {
    begin = subject.root;
  }
  const std::size_t end = subject.whole.size() - (slash_behind_ && subject.is_dir ? 0 : 1);
  const std::string_view text = subject.whole.substr(begin, end - begin);
  if (mode_ != Mode::LastNames) return text;
  std::size_t left = slashes_ + 1;
  std::size_t from = text.size();
  while (from > 0 && (text[from - 1] != '/' || --left > 0)) --from;
  if (left > 1) return std::nullopt;
  return text.substr(from);
}

bool PathPattern::matches(const PathSubject& subject, std::uint64_t* steps) const {
  if (steps != nullptr) ++*steps;
  if (dirs_only_ && !subject.is_dir) return false;
  const auto text = text_of(subject);
  if (!text) return false;
  if (!wild_.empty()) return wild_.front().matches(*text, start_, steps);
  return *text == literal_;
}

}  // namespace xs
