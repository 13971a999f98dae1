// SPDX-License-Identifier: MIT
// The table of settings, and everything that is made of it.
#include "cli/settings.h"

#include <set>

#include "base/ini.h"
#include "cli/completion.h"
#include "cli/load_config.h"
#include "cli/manual.h"
#include "cli/options.h"
#include "cli/rsync_options.h"
#include "cli/show_config.h"
#include "tests/support/catch.h"
#include "tests/support/markdown.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

using namespace xs;
using namespace xs::cli;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("settings: no name is taken twice, and every row is complete", "[cli]") {
  std::set<std::string> names{"--config", "--help", "--version", "-V"};
  std::set<std::string> keys;
  for (const Setting& setting : all_settings()) {
    INFO(setting.section << " " << setting.key << " " << setting.options);
    CHECK(setting.apply != nullptr);
    CHECK_FALSE(setting.help.empty());
    CHECK(setting.help.back() != '.');
    CHECK_FALSE(setting.group.empty());
    CHECK((setting.in_ini() || !setting.options.empty()));
    CHECK(setting.options.empty() == (setting.verbs == 0));
    CHECK((setting.argument.empty() || setting.takes_value()));
    if (setting.in_ini() && setting.takes_value()) CHECK_FALSE(setting.argument.empty());
    if (setting.in_ini()) CHECK(keys.insert(setting.variable()).second);
    for (const std::string_view name : setting.names()) {
      CHECK(names.insert(std::string(name)).second);
      CHECK(find_option(name) == &setting);
    }
    if (!setting.fallback.empty())
      CHECK_NOTHROW(parse_value(setting.kind, setting.range, setting.fallback));
  }
}

TEST_CASE("settings: the verbs stand in the order of their numbers", "[cli]") {
  for (const VerbInfo& verb : all_verbs()) CHECK(&describe(verb.verb) == &verb);
}

TEST_CASE("settings: the example configuration is the table's, and every line of it can be used",
          "[cli]") {
  CHECK(test::document("systemd/xroad-sync.ini.example") == example_config());
  std::string lively = example_config();
  for (std::size_t at = lively.find("\n;"); at != std::string::npos; at = lively.find("\n;", at))
    lively.erase(at + 1, 1);
  std::size_t lines = 0;
  const Ini example = Ini::parse(lively, "example");
  for (const IniValue& value : example.values()) {
    INFO(value.section << " " << value.key);
    const Setting* setting = find_key(value.section, value.key);
    REQUIRE(setting != nullptr);
    CHECK(value.value == setting->fallback);
    ++lines;
  }
  std::size_t rows = 0;
  for (const Setting& setting : all_settings()) rows += setting.in_ini() ? 1 : 0;
  CHECK(lines == rows);
}

TEST_CASE("settings: the manual pages are those of the table", "[cli]") {
  for (const char* page : {"xroad-sync.1", "xroad-sync.ini.5", "xroad-sync-server.8"}) {
    INFO(page << ": xs_docs writes it");
    const std::string file = std::string("docs/man/") + page;
    CHECK(test::document(file) == manual_page(test::document(file + ".in")));
  }
  const std::string options = test::document("docs/man/xroad-sync.1");
  const std::string keys = test::document("docs/man/xroad-sync.ini.5");
  for (const Setting& setting : all_settings()) {
    INFO(setting.name());
    for (const std::string_view name : setting.names())
      CHECK(has(options, "\\fB" + roff(name) + "\\fR"));
    if (setting.in_ini()) CHECK(has(keys, "\\fB" + roff(setting.key) + "\\fR = "));
  }
  for (const RsyncOption& option : rsync_options())
    for (const std::string_view name : split_words(option.options, ','))
      CHECK(has(options, "\\fB" + roff(name) + "\\fR"));
  for (const VerbInfo& verb : all_verbs()) CHECK(has(options, ".TP\n\\fB" + roff(verb.name)));
  for (const FaultInfo& info : kFaults)
    CHECK(has(options, ".TP\n.B " + std::to_string(exit_code(info.fault)) + "\n"));
}

TEST_CASE("settings: mandoc has nothing to say about the manual pages", "[cli]") {
  for (const char* page : {"xroad-sync.1", "xroad-sync.ini.5", "xroad-sync-server.8"}) {
    // Its output is the list of complaints.
    const test::Outcome lint = test::run_program(
        {"/usr/bin/mandoc", "-Tlint", std::string(XS_SOURCE_DIR) + "/docs/man/" + page});
    INFO(page);
    CHECK(lint.out == "");
  }
}

TEST_CASE("settings: --help of a verb lists its options, and no others", "[cli]") {
  for (const VerbInfo& verb : all_verbs()) {
    const std::string help = help_text(verb.verb);
    for (const Setting& setting : all_settings()) {
      if (setting.options.empty()) continue;
      INFO(verb.name << " " << setting.options);
      const std::string entry = "\n  " + shown_option(setting);
      const bool listed = has(help, entry + " ") || has(help, entry + "\n");
      CHECK(listed == ((setting.verbs & bit(verb.verb)) != 0));
    }
  }
  const std::string help = help_text(Verb::Pull);
  for (const VerbInfo& verb : all_verbs()) CHECK(has(help, "\n  " + std::string(verb.name)));
}

TEST_CASE("completion: every shell is offered every verb and option", "[cli]") {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(shell);
    INFO(shell);
    for (const Setting& setting : all_settings()) {
      for (const std::string_view name : setting.names()) {
        INFO(name);
        const std::string fish = (name.starts_with("--") ? " -l " : " -s ") +
                                 std::string(name.substr(name.starts_with("--") ? 2 : 1));
        CHECK(has(script, shell == std::string("fish") ? fish : std::string(name)));
      }
    }
  }
}

TEST_CASE("completion: bash completes verbs, options and choices", "[cli]") {
  test::TempDir dir;
  const std::string script = dir.write("completion", completion_script("bash"));
  const auto offered = [&](const std::vector<std::string>& words) {
    std::string line = "set -eu; . '" + script + "'; compopt() { :; }; COMP_WORDS=(xroad-sync";
    for (const std::string& word : words) line += " '" + word + "'";
    line += "); COMP_CWORD=" + std::to_string(words.size()) +
            "; _xroad_sync; echo \"${COMPREPLY[*]-}\"";
    const test::Outcome outcome = test::run_program({"/bin/bash", "-c", line});
    CHECK(outcome.end == test::kCleanEnd);
    return outcome.out;
  };
  CHECK(offered({"sta"}) == "status\n");
  CHECK(offered({"status", "--ch"}) == "--check\n");
  CHECK(offered({"--delete-ex"}) == "--delete-excluded\n");
  CHECK(offered({"status", "--delete-ex"}) == "\n");
  CHECK(offered({"--color", "al"}) == "always\n");
  CHECK(offered({"--color", "=", "al"}) == "always\n");
  CHECK(offered({"completion", ""}) == "bash zsh fish\n");
  CHECK(offered({"config", "sh"}) == "show\n");
}
