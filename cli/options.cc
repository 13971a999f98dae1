// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/exit.h"

namespace xs::cli {
namespace {

constexpr int kAnyNumber = 1000;  // of SOURCEs; places.h says what is wrong with several

struct Names {
  std::string_view shown;
  int least;
  int most;
};

Names names_of(Verb verb) {
  switch (verb) {
    case Verb::Trust: return {"HOST", 1, 1};
    case Verb::Authorize: return {"KEYFILE", 1, 1};
    case Verb::Probe: return {"PRIMARY", 0, 1};
    case Verb::Rollback: return {"GENERATION", 0, 1};
    case Verb::Completion: return {"SHELL", 1, 1};
    default: break;
  }
  return (bit(verb) & kTreeVerbs) != 0 ? Names{"PLACES", 0, kAnyNumber} : Names{"", 0, 0};
}

// CLI11 takes the names and says what is wrong with their number; the options' own order and forms
// are rsync's (words.h), which it does not know.
void check_names(const Words& words) {
  const VerbInfo& verb = describe(words.verb);
  CLI::App app("", "xroad-sync " + std::string(verb.name));
  app.set_help_flag();
  std::vector<std::string> taken;
  const Names names = names_of(words.verb);
  if (names.most > 0) {
    CLI::Option* option = app.add_option(std::string(names.shown), taken);
    option->expected(names.least > 0 ? 1 : 0, names.most)->required(names.least > 0);
    if (words.verb == Verb::Completion) option->check(CLI::IsMember({"bash", "zsh", "fish"}));
  }
  std::vector<std::string> reversed(words.names.rbegin(), words.names.rend());
  reversed.push_back("--");
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    throw Error(Fault::Usage,
                std::string(error.what()) + " (xroad-sync " + std::string(verb.name) + " --help)");
  }
}

// One "-x, --name=VALUE   help" a line, wrapped to the terminal that everybody has.
std::string help_line(const std::string& left, std::string_view right) {
  constexpr std::size_t kColumn = 27;
  constexpr std::size_t kWidth = 79;
  std::string out = "  " + left;
  out += out.size() < kColumn ? std::string(kColumn - out.size(), ' ')
                              : "\n" + std::string(kColumn, ' ');
  std::size_t column = kColumn;
  for (const std::string_view word : split_words(right, ' ')) {
    if (column > kColumn && column + word.size() + 1 > kWidth) {
      out += "\n" + std::string(kColumn, ' ');
      column = kColumn;
    }
    if (column > kColumn) out += ' ', ++column;
    out += word;
    column += word.size();
  }
  return out + "\n";
}

std::string help_of_options(Verb verb) {
  std::string out;
  std::string_view group;
  for (const Setting& setting : all_settings()) {
    if (setting.options.empty() || (setting.verbs & bit(verb)) == 0) continue;
    if (setting.group != group) out += "\n" + std::string(setting.group) + ":\n";
    group = setting.group;
    out += help_line(shown_option(setting), setting.help);
  }
  out += "\nOthers:\n";
  out += help_line("--config=FILE", "read this configuration instead of " +
                                        std::string("/etc/xroad-sync/xroad-sync.ini"));
  out += help_line("--help", "this help");
  if (verb == Verb::Pull) {
    out += help_line("-V, --version", "the version");
    out += help_line("--no-OPTION", "turn an option off, for example --no-o or --no-perms");
  }
  return out;
}

}  // namespace

std::string shown_option(const Setting& setting) {
  std::string out;
  for (const std::string_view name : setting.names()) {
    out += (out.empty() ? "" : ", ") + std::string(name);
  }
  if (!setting.takes_value()) return out;
  return out + (out.find("--") == std::string::npos ? " " : "=") + std::string(setting.argument);
}

Words read_command_line(const std::vector<std::string>& arguments) {
  Words words = parse_words(arguments);
  if (!words.help && !words.version) check_names(words);
  return words;
}

std::string help_text(Verb verb) {
  const VerbInfo& info = describe(verb);
  std::string out;
  if (verb != Verb::Pull) {
    out = "Usage: xroad-sync " + std::string(info.name) + " [OPTION]... " +
          std::string(info.arguments) + "\n\n";
    out += help_line(std::string(info.name), info.help);
    return out + help_of_options(verb);
  }
  out =
      "Brings a secondary to exactly one state that its primary really had.\n\n"
      "Usage: xroad-sync [OPTION]...                                as configured\n"
      "       xroad-sync [OPTION]... [USER@]HOST:/PATH/ DEST/       as rsync\n"
      "       xroad-sync VERB [OPTION]... [ARGUMENT]\n\nVerbs:\n";
  for (const VerbInfo& each : all_verbs()) {
    const bool tree = (bit(each.verb) & kTreeVerbs) != 0 || each.arguments.empty();
    out += help_line(std::string(each.name) + (tree ? "" : " " + std::string(each.arguments)),
                     each.help);
  }
  return out + help_of_options(verb) +
         "\nAll other options of rsync are refused by name, except those that have no\n"
         "meaning here and are accepted: xroad-sync(1) lists them.\n\n" +
         exit_code_help() + " 100  done, and something changed (--detailed-exitcode)\n";
}

std::string version_text() { return "xroad-sync " XS_VERSION "\n"; }

}  // namespace xs::cli
