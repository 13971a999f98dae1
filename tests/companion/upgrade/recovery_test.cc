// SPDX-License-Identifier: MIT
// docs/recovery.md against the programs: every command in it is one that they take.
#include <algorithm>
#include <cctype>
#include <set>

#include "tests/companion/upgrade/recovery_doc.h"
#include "tests/support/catch.h"
#include "tests/support/nodes.h"

using namespace xs;
using Catch::Contains;
using test::DocCommand;

namespace {

// The words before the first option or operand: the program and its verbs, as far as help knows
// them.
std::string help_for(const DocCommand& command, std::string& verb) {
  std::vector<std::string> path{command.words[0] == "xroad-sync" ? XS_CLIENT : XS_COMPANION};
  std::string help;
  for (std::size_t i = 1;; ++i) {
    std::vector<std::string> ask = path;
    ask.push_back("--help");
    const test::Ran ran = test::run_apart(ask);
    REQUIRE(ran.code == 0);
    help = ran.out;
    const bool listed = i < command.words.size() && command.words[i][0] != '-' &&
                        help.find("\n  " + command.words[i] + " ") != std::string::npos;
    if (!listed) return help;
    path.push_back(command.words[i]);
    verb = command.words[i];
  }
}

bool knows_option(const std::string& help, const std::string& option) {
  for (const char* end : {" ", "\n", "=", ","}) {
    if (help.find(option + end) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("recovery: every command of the document that is ours is one of the programs'",
          "[docs]") {
  const auto commands = test::recovery_commands();
  REQUIRE(commands.size() >= 40);
  for (DocCommand command : commands) {
    INFO(command.line);
    // Typed on machines by recovery_tests.
    const std::set<std::string> others{"systemctl", "mv", "rm"};
    if (others.count(command.words[0]) != 0) continue;
    if (command.line.starts_with("sudo -u xroad ")) {
      command.words.erase(command.words.begin(), command.words.begin() + 3);
    }
    std::string verb;
    const std::string help = help_for(command, verb);
    CHECK((!verb.empty() || command.words[0] == "xroad-sync"));
    CHECK(help.find("\nSubcommands:\n") == std::string::npos);  // a group alone does nothing
    for (const std::string& word : command.words) {
      if (!word.starts_with("--")) continue;
      INFO(word);
      CHECK(knows_option(help, word));
    }
  }
}

TEST_CASE("recovery: every verb that a person needs in trouble is in the document", "[docs]") {
  std::vector<std::string> lines;
  for (const DocCommand& command : test::recovery_commands()) lines.push_back(command.line);
  for (const char* verb :
       {"replication status", "replication wait", "replication resume", "replication setup primary",
        "replication setup standby", "replication promote", "replication rejoin", "upgrade prepare",
        "upgrade finish", "upgrade status", "maintenance on", "maintenance off"}) {
    INFO(verb);
    CHECK(std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.starts_with(std::string("xroad-companion ") + verb);
    }));
  }
}

TEST_CASE("recovery: every link of the document leads to a heading of it", "[docs]") {
  const std::string text = test::document("docs/recovery.md");
  std::size_t links = 0;
  for (std::size_t at = text.find("](#"); at != std::string::npos; at = text.find("](#", at + 1)) {
    const std::string anchor = text.substr(at + 3, text.find(')', at) - at - 3);
    std::string heading = anchor;
    std::replace(heading.begin(), heading.end(), '-', ' ');
    heading[0] = static_cast<char>(std::toupper(heading[0]));
    if (anchor == "central-server") heading = "Central Server";
    INFO(anchor);
    CHECK(text.find("\n## " + heading + "\n") != std::string::npos);
    ++links;
  }
  CHECK(links >= 8);
}
