// SPDX-License-Identifier: MIT
#include "sync/filter_parse.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "protocol/limits.h"

namespace xs {
namespace {

constexpr std::string_view kBlanks = " \t\n\v\f\r";

struct Word {
  std::string_view word;
  char letter;
};
constexpr std::array<Word, 9> kWords = {{{"exclude", '-'},
                                         {"include", '+'},
                                         {"merge", '.'},
                                         {"dir-merge", ':'},
                                         {"hide", 'H'},
                                         {"show", 'S'},
                                         {"protect", 'P'},
                                         {"risk", 'R'},
                                         {"clear", '!'}}};

[[noreturn]] void fail(std::string_view text, std::size_t position, std::string_view why,
                       const FilterPlace& place, Fault fault = Fault::Usage) {
  std::string message;
  if (place.line > 0) message = escape(place.file) + ":" + std::to_string(place.line) + ": ";
  message +=
      "filter rule '" + excerpt(text, 200) + "', position " + std::to_string(position) + ": ";
  throw Error(fault, message + std::string(why));
}

enum class Verb { Match, Merge, DirMerge, Clear };

struct Parsed {
  Verb verb = Verb::Match;
  FilterRule rule;
  bool exclude_self = false;
  std::string self;  // the name that 'e' excludes: nothing when the file's name ends in a slash, as
                     // in rsync
};

// Reads one rule from left to right; at_ is the byte being judged, and so the position in a
// message.
class RuleReader {
 public:
  RuleReader(std::string_view text, const FilterStyle& style, const FilterPlace& place)
      : text_(text), style_(style), place_(place) {}

  Parsed read() {
    FilterRule& rule = parsed_.rule;
    rule.absolute = style_.absolute;
    rule.perishable = style_.perishable;
    rule.dirs_only = style_.dirs_only;
    rule.base = style_.base;
    if (style_.bare != 0) {
      if (style_.bare == '+') rule.kind = FilterRule::Kind::Include;
      if (style_.old_prefixes) old_prefix();
    } else {
      verb();
      if (parsed_.verb == Verb::Clear) return parsed_;
    }
    if (parsed_.verb == Verb::Clear) return parsed_;
    sides();
    pattern();
    return parsed_;
  }

 private:
  [[noreturn]] void bad(std::string_view why, Fault fault = Fault::Usage) const {
    fail(text_, at_, why, place_, fault);
  }

  void old_prefix() {
    if (text_ == "!") parsed_.verb = Verb::Clear;
    if (text_.size() < 2 || text_[1] != ' ') return;
    if (text_[0] == '-') parsed_.rule.kind = FilterRule::Kind::Exclude;
    if (text_[0] == '+') parsed_.rule.kind = FilterRule::Kind::Include;
    if (text_[0] == '-' || text_[0] == '+') at_ = 2;
  }

  // Leaves at_ on the last byte of the verb, or on the comma behind it.
  char verb_letter() {
    for (const Word& known : kWords) {
      const std::size_t size = known.word.size();
      if (text_.substr(0, size) != known.word) continue;
      if (text_.size() == size || text_[size] == '_' ||
          kBlanks.find(text_[size]) != std::string_view::npos) {
        at_ = size - 1;
        return known.letter;
      }
      if (text_[size] == ',') {
        at_ = size;
        return known.letter;
      }
    }
    if (text_.size() > 1 && text_[1] == ',') at_ = 1;
    return text_[0];
  }

  void verb() {
    FilterRule& rule = parsed_.rule;
    const char letter = verb_letter();
    switch (letter) {
      case '!': return clear();
      case '.': parsed_.verb = Verb::Merge; break;
      case ':':
        parsed_.verb = Verb::DirMerge;
        rule.kind = FilterRule::Kind::DirMerge;
        break;
      case '-':
      case 'H':
      case 'P': break;
      case '+':
      case 'S':
      case 'R': rule.kind = FilterRule::Kind::Include; break;
      default:
        at_ = 0;
        bad("this is no filter rule (it begins with none of - + . : H S P R ! or a long name)");
    }
    side_is_fixed_ = letter == 'H' || letter == 'S' || letter == 'P' || letter == 'R';
    rule.sender = letter == 'H' || letter == 'S';
    rule.receiver = letter == 'P' || letter == 'R';
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == ' ' || text_[at_] == '_') break;
      modifier(text_[at_]);
    }
    if (at_ < text_.size()) ++at_;
  }

  void clear() {
    if (++at_ < text_.size()) bad("nothing may follow the clear rule");
    parsed_.verb = Verb::Clear;
  }

  void modifier(char c) {
    FilterRule& rule = parsed_.rule;
    const bool merge = parsed_.verb != Verb::Match;
    bool known = true;
    switch (c) {
      case '/': rule.absolute = true; break;
      case 'p': rule.perishable = true; break;
      case 'x': rule.xattr = !merge; break;
      case 's':
        known = !side_is_fixed_;
        rule.sender = true;
        break;
      case 'r':
        known = !side_is_fixed_;
        rule.receiver = true;
        break;
      case '!':
        known = !merge;
        rule.negate = true;
        break;
      case 'e':
        known = merge;
        parsed_.exclude_self = true;
        break;
      case 'n':
        known = merge;
        rule.no_inherit = true;
        break;
      case 'w':
        known = merge;
        rule.word_split = true;
        break;
      case '-':
      case '+':
        known = merge && rule.bare == 0;
        rule.bare = c;
        break;
      case 'C':
        bad("the CVS modifier 'C' is not supported; write the patterns out", Fault::Unsupported);
      default: known = false;
    }
    if (!known) bad("invalid modifier " + quote({&c, 1}));
  }

  void sides() {
    FilterRule& rule = parsed_.rule;
    if (!style_.sender && !style_.receiver) return;
    if (rule.sender || rule.receiver)
      bad("the merge file has a side already, so its rules may not name one");
    rule.sender = style_.sender;
    rule.receiver = style_.receiver;
  }

  void pattern() {
    FilterRule& rule = parsed_.rule;
    rule.pattern = text_.substr(at_);
    if (rule.pattern.empty()) {
      bad(parsed_.verb == Verb::Match ? "the pattern is missing" : "the file name is missing");
    }
    const std::size_t nul = text_.find('\0');
    if (nul != std::string_view::npos) {
      at_ = nul;
      bad("a NUL byte");
    }
    parsed_.self = rule.pattern.substr(rule.pattern.rfind('/') + 1);
    if (parsed_.verb != Verb::Merge && rule.pattern.size() > 1 && rule.pattern.back() == '/') {
      rule.pattern.pop_back();
      rule.dirs_only = true;
    }
  }

  std::string_view text_;
  const FilterStyle& style_;
  const FilterPlace& place_;
  Parsed parsed_;
  bool side_is_fixed_ = false;
  std::size_t at_ = 0;
};

}  // namespace

std::string to_string(const FilterRule& rule) {
  const bool merge = rule.kind == FilterRule::Kind::DirMerge;
  std::string text(1, merge ? ':' : rule.kind == FilterRule::Kind::Include ? '+' : '-');
  if (rule.absolute) text += '/';
  if (rule.negate) text += '!';
  if (rule.no_inherit) text += 'n';
  if (rule.word_split) text += 'w';
  if (rule.bare != 0) text += rule.bare;
  if (rule.xattr) text += 'x';
  if (rule.sender) text += 's';
  if (rule.receiver) text += 'r';
  if (rule.perishable) text += 'p';
  text += ' ';
  text += rule.pattern;
  if (rule.dirs_only) text += '/';
  return text;
}

FilterStyle style_of(const FilterRule& rule) {
  FilterStyle style;
  style.bare = rule.bare;
  style.word_split = rule.word_split;
  style.dirs_only = rule.dirs_only;
  style.absolute = rule.absolute;
  style.perishable = rule.perishable;
  style.sender = rule.sender;
  style.receiver = rule.receiver;
  return style;
}

FilterParser::FilterParser(FilterReader reader, bool nul_separated, bool per_directory)
    : reader_(std::move(reader)), nul_separated_(nul_separated), per_directory_(per_directory) {}

void FilterParser::rule(std::string_view text, const FilterStyle& style, const FilterPlace& place,
                        FilterText& out) {
  if (text.empty()) return;
  Parsed parsed = RuleReader(text, style, place).read();
  if (parsed.verb == Verb::Clear) {
    out.rules.clear();
    out.cleared = true;
    return;
  }
  if (parsed.exclude_self && !parsed.self.empty()) {
    FilterRule self;
    self.pattern = std::move(parsed.self);
    self.sender = self.receiver =
        per_directory_;  // named, so that --delete-excluded leaves it alone, as in rsync
    add(std::move(self), text, place, out);
  }
  if (parsed.verb != Verb::Merge) return add(std::move(parsed.rule), text, place, out);
  if (!reader_) fail(text, 0, "a merge file cannot be read here", place);
  if (depth_ == kNesting) {
    fail(text, 0, "merge files are nested more than " + std::to_string(kNesting) + " deep", place);
  }
  file(reader_(parsed.rule.pattern), parsed.rule.pattern, style_of(parsed.rule), out);
}

void FilterParser::file(std::string_view contents, const std::string& name,
                        const FilterStyle& style, FilterText& out) {
  ++depth_;
  FilterPlace place{name, 1};
  const auto ends = [&](char c) {
    return (nul_separated_ ? c == '\0' : c == '\n' || c == '\r') ||
           (style.word_split && kBlanks.find(c) != std::string_view::npos);
  };
  for (std::size_t begin = 0; begin < contents.size();) {
    std::size_t end = begin;
    while (end < contents.size() && !ends(contents[end])) ++end;
    const std::string_view line = contents.substr(begin, end - begin);
    const bool comment = !style.word_split && !line.empty() && (line[0] == '#' || line[0] == ';');
    if (!comment) rule(line, style, place, out);
    if (end < contents.size() && contents[end] == (nul_separated_ ? '\0' : '\n')) ++place.line;
    if (end + 1 < contents.size() && contents[end] == '\r' && contents[end + 1] != '\n' &&
        !nul_separated_) {
      ++place.line;
    }
    begin = end + 1;
  }
  --depth_;
}

void FilterParser::add(FilterRule rule, std::string_view text, const FilterPlace& place,
                       FilterText& out) const {
  const std::size_t size = to_string(rule).size();
  if (size > limits::kFilterRule) {
    fail(text, limits::kFilterRule,
         "the rule has more than " + std::to_string(limits::kFilterRule) + " bytes", place);
  }
  if (out.rules.size() == limits::kFilterRules) {
    fail(text, 0, "more than " + std::to_string(limits::kFilterRules) + " rules", place);
  }
  out.rules.push_back(std::move(rule));
}

}  // namespace xs
