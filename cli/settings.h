// SPDX-License-Identifier: MIT
// Settings: the one table of everything that can be set: where (ini, environment, command line), to
// what, with which default, and what it is for. The parsers of all three, `config show`, the
// example configuration, --help, the manual pages and the completions follow from it, and so does
// Config: each row carries the step that puts its value there. Data; called by everything in cli/
// that reads or describes settings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/config.h"
#include "cli/value.h"

namespace xs::cli {

// A Config in the making, with what only matters until it is made.
struct Draft {
  Config config;
  FilterList filters;            // of the layer that is being applied
  bool from0 = false;            // -0
  unsigned per_directory = 0;    // how many -F
  std::string files_from;        // --files-from
  std::string journal = "auto";  // log.journal
  std::string preset = "none";
};

using Apply = void (*)(Draft& draft, const Value& value);
using Verbs = std::uint32_t;  // one bit each

constexpr Verbs bit(Verb verb) { return Verbs{1} << static_cast<unsigned>(verb); }
inline constexpr Verbs kEveryVerb = ~Verbs{0};
// Those that compare or copy a tree, or describe how that would be done.
inline constexpr Verbs kTreeVerbs = bit(Verb::Pull) | bit(Verb::Diff) | bit(Verb::Verify) |
                                    bit(Verb::Doctor) | bit(Verb::ConfigShow);

enum class Repeat : std::uint8_t {
  Last,     // the strongest value counts
  Replace,  // a list; the strongest place that names any names them all
  Add,      // a list; stronger places stand in front of weaker ones
};

inline constexpr std::string_view kSameDefault = "\n";

struct Setting {
  std::string_view section;  // of the ini file; empty: not there, nor in the environment
  std::string_view key;
  std::string_view options;   // "-e,--rsh"; empty: not on the command line
  std::string_view argument;  // what the option's value is called: "FILE"
  Kind kind;
  std::string_view range;     // value.h
  std::string_view fallback;  // as an ini file would say it; empty: unset
  Verbs verbs;                // whose option it is
  std::string_view help;      // one line, no full stop
  Apply apply;
  std::string_view details = "";  // for the manual pages: whole sentences
  Repeat repeat = Repeat::Last;
  std::string_view environment = "";     // a name besides XROAD_SYNC_SECTION_KEY
  std::string_view bare = kSameDefault;  // the fallback where the source is on the command line
  std::string_view group = "";           // heading in --help; empty: that of the row above

  bool in_ini() const { return !section.empty(); }
  bool takes_value() const { return kind != Kind::Flag && kind != Kind::Count; }
  std::vector<std::string_view> names() const;  // "-e", "--rsh"
  std::string_view name() const;                // the first long one, or "[section] key"
  std::string variable() const;                 // XROAD_SYNC_SECTION_KEY; empty: none
  std::string_view default_text(bool source_on_command_line) const;
};

// In the order in which people are to read it.
const std::vector<Setting>& all_settings();

// nullptr: there is none.
const Setting* find_key(std::string_view section, std::string_view key);
const Setting* find_option(std::string_view name);  // "-e" or "--rsh"

// The parts of the table, by what they are about.
std::vector<Setting> connection_settings();
std::vector<Setting> content_settings();
std::vector<Setting> selection_settings();
std::vector<Setting> run_settings();
std::vector<Setting> output_settings();
std::vector<Setting> verb_settings();

struct VerbInfo {
  Verb verb;
  std::string_view name;       // "config show"
  std::string_view arguments;  // "[HOST]"
  std::string_view help;
  std::string_view details;
};
const std::vector<VerbInfo>& all_verbs();
const VerbInfo& describe(Verb verb);

}  // namespace xs::cli
