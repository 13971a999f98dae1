// SPDX-License-Identifier: MIT
// The companion's pages, example and completion, against the program and its table.
#include <algorithm>
#include <set>
#include <sstream>

#include "base/text.h"
#include "cli/companion_manual.h"
#include "companion/node_settings.h"
#include "tests/support/catch.h"
#include "tests/support/markdown.h"
#include "tests/support/program.h"
#include "tests/support/temp_dir.h"

using namespace xs;
using Catch::Contains;

namespace {

std::string output_of(std::vector<std::string> words) {
  words.insert(words.begin(), XS_COMPANION);
  const test::Outcome outcome = test::run_program(words);
  REQUIRE(outcome.end == "it ended with status 0");
  return outcome.out;
}

// The first words of the lines that --help lists below this heading.
std::vector<std::string> listed(const std::vector<std::string>& verb, const std::string& heading) {
  std::vector<std::string> words = verb;
  words.push_back("--help");
  const std::string help = output_of(words);
  std::vector<std::string> found;
  std::size_t at = help.find("\n" + heading + ":\n");
  if (at == std::string::npos) return found;
  at = help.find('\n', at + 1) + 1;
  while (at < help.size() && help.compare(at, 2, "  ") == 0) {
    const std::string line = help.substr(at + 2, help.find('\n', at) - at - 2);
    if (!line.starts_with(" ")) found.push_back(line.substr(0, line.find_first_of(" =")));
    at = help.find('\n', at) + 1;
  }
  return found;
}

}  // namespace

TEST_CASE("companion docs: the pages are those of the program and of the table", "[docs]") {
  const std::string verbs = output_of({"manual"});
  for (const char* page : {"xroad-companion.1", "companion.ini.5"}) {
    INFO(page << ": xs_docs writes it");
    const std::string file = std::string("docs/man/") + page;
    CHECK(test::document(file) == cli::companion_page(test::document(file + ".in"), verbs));
    const test::Outcome lint = test::run_program(
        {"/usr/bin/mandoc", "-Tlint", std::string(XS_SOURCE_DIR) + "/docs/man/" + page});
    CHECK(lint.out == "");
  }
  const std::string keys = test::document("docs/man/companion.ini.5");
  for (const SettingRow& row : setting_table()) {
    std::string key = row.key;
    for (std::size_t at = key.find('-'); at != std::string::npos; at = key.find('-', at + 2)) {
      key.insert(at, "\\");
    }
    INFO(key);
    CHECK_THAT(keys, Contains(".TP\n\\fB" + key + "\\fR = "));
  }
}

TEST_CASE("companion docs: the page has every check, every file and no other program's exit code",
          "[docs]") {
  const auto in_roff = [](std::string text) {
    for (std::size_t at = text.find('-'); at != std::string::npos; at = text.find('-', at + 2)) {
      text.insert(at, "\\");
    }
    return text;
  };
  const std::string page = test::document("docs/man/xroad-companion.1");
  std::size_t checks = 0;
  for (const SettingRow& row : setting_table()) {
    if (std::string(row.section) != "checks") continue;
    INFO(row.key);
    CHECK_THAT(page, Contains("\n.BR " + in_roff(row.key) + " "));
    ++checks;
  }
  CHECK(checks >= 8);
  const NodeSettings built_in;
  for (const std::string& file : {built_in.maintenance_file, built_in.upgrade.state_file}) {
    CHECK_THAT(page, Contains("\n.I " + in_roff(file) + "\n"));
  }
  CHECK(page.find("detailed") == std::string::npos);
  CHECK_THAT(test::document("docs/man/xroad-sync.1"),
             Contains(".BR " + in_roff("--detailed-exitcode")));
}

TEST_CASE("companion docs: the page has every verb that help lists, and no hidden one", "[docs]") {
  const std::string page = test::document("docs/man/xroad-companion.1");
  const auto verbs = listed({}, "Subcommands");
  REQUIRE(verbs.size() >= 5);
  for (const std::string& verb : verbs) {
    INFO(verb);
    CHECK(verb != "manual");
    CHECK_THAT(page, Contains("\n.SS " + verb + "\n"));
    for (const std::string& inner : listed({verb}, "Subcommands")) {
      CHECK_THAT(page, Contains("\n.SS " + verb + " " + inner + "\n"));
    }
  }
  CHECK(page.find(".SS manual\n") == std::string::npos);
}

TEST_CASE("companion docs: the commands of the README are the program's, its settings are taken",
          "[docs]") {
  const std::string readme = test::document("README.md");
  std::size_t commands = 0;
  const std::string start = "\n    xroad-companion ";
  for (std::size_t at = readme.find(start); at != std::string::npos;
       at = readme.find(start, at + 1)) {
    const std::string line = readme.substr(at + 5, readme.find('\n', at + 1) - at - 5);
    INFO(line);
    std::istringstream words(line.substr(0, line.find('#')));
    std::vector<std::string> verb;
    std::vector<std::string> options;
    for (std::string word; words >> word;) {
      if (word.starts_with("--")) options.push_back(word);
      if (options.empty() && word != "xroad-companion") verb.push_back(word);
    }
    std::vector<std::string> ask = verb;
    ask.emplace_back("--help");
    const std::string help = output_of(ask);
    std::string usage = "Usage: xroad-companion";
    for (const std::string& word : verb) usage += " " + word;
    CHECK_THAT(help, Contains(usage + " "));
    for (const std::string& option : options) CHECK_THAT(help, Contains("  " + option + " "));
    ++commands;
  }
  CHECK(commands >= 6);

  const std::size_t print = readme.find("printf '[proxy]");
  REQUIRE(print != std::string::npos);
  std::string ini = readme.substr(print + 8, readme.find('\'', print + 8) - print - 8);
  for (std::size_t at = ini.find("\\n"); at != std::string::npos; at = ini.find("\\n")) {
    ini.replace(at, 2, "\n");
  }
  const test::TempDir dir;
  const NodeSettings settings =
      load_node_settings({dir.path() + "/xroad", dir.write("companion.ini", ini), true});
  CHECK(settings.health.port == 5598);
  CHECK(settings.admin.port == 5590);
}

TEST_CASE("companion docs: the README knows every check of ours", "[docs]") {
  const auto rows = test::markdown_table(test::document("README.md"), "| check | fails when |");
  REQUIRE(rows.size() == 5);
  for (const SettingRow& row : setting_table()) {
    const std::set<std::string> xroads = {"global-conf", "auth-key", "serverconf-db"};
    if (std::string(row.section) != "checks" || xroads.contains(row.key)) continue;
    INFO(row.key);
    CHECK(std::any_of(rows.begin(), rows.end(), [&](const test::MarkdownRow& one) {
      return one.at(0) == "`" + std::string(row.key) + "`";
    }));
  }
}

TEST_CASE("companion docs: the example configuration is the table's", "[docs]") {
  INFO("xs_docs writes it");
  const std::string example = test::document("systemd/companion.ini.example");
  CHECK(example == example_ini());
  CHECK(example == output_of({"example"}));
  for (std::size_t at = 0; at < example.size(); at = example.find('\n', at) + 1) {
    CHECK(example.find('\n', at) - at <= 100);
  }
}

TEST_CASE("companion docs: bash completes verbs, their verbs and options", "[docs]") {
  const test::TempDir dir;
  const std::string script = dir.write("completion", output_of({"completion", "bash"}));
  const auto offered = [&](const std::string& words) {
    const test::Outcome outcome = test::run_program(
        {"/usr/bin/bash", "-c",
         ". \"$1\"; shift; compopt() { :; }; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($#-1)); "
         "_xroad_companion; echo \"${COMPREPLY[*]}\"",
         "bash", script, "xroad-companion", words.substr(0, words.find(' ')),
         words.find(' ') == std::string::npos ? "" : words.substr(words.find(' ') + 1)});
    return outcome.out;
  };
  for (const std::string& verb : listed({}, "Subcommands")) {
    INFO(verb);
    CHECK_THAT(offered(verb.substr(0, 2) + " "), !Contains("manual"));
    for (const char* shell : {"bash", "zsh", "fish"}) {
      CHECK_THAT(output_of({"completion", shell}), Contains(verb));
    }
  }
  CHECK(offered("maintenance o") == "on off\n");
  CHECK(offered("maintenance st") == "status\n");
  CHECK(offered("check --j") == "--json\n");
  CHECK(offered("completion f") == "fish\n");
  CHECK(offered("--debug sta") == "status\n");
  CHECK(offered("--config /etc/pass") == "\n");  // readline completes the file's name
  CHECK_THAT(test::run_program({XS_COMPANION, "completion", "csh"}).end, Contains("status 1"));
}
