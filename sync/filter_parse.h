// SPDX-License-Identifier: MIT
// FilterParser: the text of rsync's filter language to rules, and one rule back to its only
// canonical text. Called by FilterList for options and files, and by FilterWalk for the
// per-directory files of a tree. Pure but for the reader that is passed in. A malformed rule is an
// Error of class Usage that quotes the rule and gives the byte position, led by file:line where it
// came from a file; the CVS modifier 'C' is Unsupported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace xs {

// One rule as it decides. A value; two rules are equal when their canonical texts (and bases) are.
struct FilterRule {
  enum class Kind : std::uint8_t { Exclude, Include, DirMerge };

  Kind kind = Kind::Exclude;
  bool dirs_only = false;   // had a trailing slash, which `pattern` has lost
  bool absolute = false;    // '/': compared with the absolute path
  bool negate = false;      // '!'
  bool xattr = false;       // 'x': for names of extended attributes, never for files
  bool sender = false;      // 's', H, S; neither side named: both
  bool receiver = false;    // 'r', P, R
  bool perishable = false;  // 'p': void inside a directory that is itself being deleted
  bool no_inherit = false;  // 'n', and the next two: a dir-merge only
  bool word_split = false;  // 'w'
  char bare = 0;            // '-' or '+': its files hold bare patterns
  std::string pattern;      // or the name of the per-directory file
  // Of a rule from a per-directory file: that directory's absolute path. Not part of the text.
  std::string base;

  bool operator==(const FilterRule&) const = default;
};

// The last component: two dir-merges with the same one are the same, whatever leads to it.
inline std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// "-/!xsrp PATTERN", ":nw-srp NAME": what travels, and what FilterParser reads back as an equal
// rule.
std::string to_string(const FilterRule& rule);

// The contents of a merge file; throws when there is none.
using FilterReader = std::function<std::string(const std::string& path)>;

// How a text is read: what a merge rule hands on to the rules in its file.
struct FilterStyle {
  bool old_prefixes = false;  // --exclude and its like: only "- ", "+ " and "!" are special
  char bare = 0;              // '-', '+': what a bare pattern means; 0: full rules
  bool word_split = false;
  bool dirs_only = false;
  bool absolute = false;
  bool perishable = false;
  bool sender = false;
  bool receiver = false;
  std::string base;
};
// The style of the files that this dir-merge rule names.
FilterStyle style_of(const FilterRule& dir_merge);

// What a text came to: its rules in order, and whether a '!' also cleared what stood before it.
struct FilterText {
  std::vector<FilterRule> rules;
  bool cleared = false;
};

struct FilterPlace {  // for messages; line 0: not from a file
  std::string file;
  std::size_t line = 0;
};

class FilterParser {
 public:
  static constexpr std::size_t kNesting = 32;  // merge files inside merge files

  // Without a reader a merge rule is refused. `per_directory`: the text stems from a file inside
  // the tree.
  explicit FilterParser(FilterReader reader, bool nul_separated = false,
                        bool per_directory = false);

  // One rule; an empty text is no rule.
  void rule(std::string_view text, const FilterStyle& style, const FilterPlace& place,
            FilterText& out);
  // A file: a rule a line (a word, a NUL-separated piece), without blank lines and comments.
  void file(std::string_view contents, const std::string& name, const FilterStyle& style,
            FilterText& out);

 private:
  void add(FilterRule rule, std::string_view text, const FilterPlace& place, FilterText& out) const;

  FilterReader reader_;
  bool nul_separated_;
  bool per_directory_;
  std::size_t depth_ = 0;
};

}  // namespace xs
