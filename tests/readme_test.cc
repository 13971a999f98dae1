// SPDX-License-Identifier: MIT
// What the README says, against the programs themselves.
#include <set>

#include "base/error.h"
#include "cli/settings.h"
#include "tests/support/catch.h"
#include "tests/support/markdown.h"
#include "tests/support/program.h"

using namespace xs;

namespace {

std::string output_of(const std::vector<std::string>& argv) {
  const test::Outcome outcome = test::run_program(argv);
  REQUIRE(outcome.end == test::kCleanEnd);
  return outcome.out;
}

}  // namespace

TEST_CASE("readme: the table of exit codes is that of the code", "[docs]") {
  const auto rows = test::markdown_table(test::document("README.md"), "\n## Exit codes\n");
  REQUIRE(rows.size() == kFaults.size() + 1);
  for (std::size_t i = 0; i < kFaults.size(); ++i) {
    const FaultInfo& info = kFaults[i];
    CHECK(rows[i + 1] == test::MarkdownRow{std::to_string(exit_code(info.fault)),
                                           std::string(info.name), std::string(info.meaning)});
  }
}

TEST_CASE("readme: the options of probe are among those that the program has", "[docs]") {
  const std::string help = output_of({XS_CLIENT, "probe", "--help"});
  const auto rows = test::markdown_table(test::document("README.md"), "| option of `probe` |");
  REQUIRE_FALSE(rows.empty());
  std::size_t documented = 0;
  for (const auto& row : rows) {
    const std::string cell = row.at(0);
    for (std::size_t at = cell.find("--"); at != std::string::npos; at = cell.find("--", at + 2)) {
      const std::string option = cell.substr(at, cell.find('`', at) - at);
      INFO(option);
      CHECK(help.find(option) != std::string::npos);
      ++documented;
    }
  }
  CHECK(documented >= 6);
}

TEST_CASE("readme: the table of verbs is that of the program", "[docs]") {
  std::set<std::string> told;
  for (const auto& row : test::markdown_table(test::document("README.md"), "| verb | what")) {
    const std::string& cell = row.at(0);
    for (std::size_t at = cell.find('`'); at != std::string::npos;) {
      const std::size_t end = cell.find('`', at + 1);
      told.insert(cell.substr(at + 1, end - at - 1));
      at = cell.find('`', end + 1);
    }
  }
  std::set<std::string> known;
  for (const cli::VerbInfo& verb : cli::all_verbs()) known.emplace(verb.name);
  CHECK(told == known);
}

TEST_CASE("readme: --help lists every exit code", "[docs]") {
  const std::string help = output_of({XS_CLIENT, "--help"});
  for (const FaultInfo& info : kFaults) {
    INFO(info.name);
    CHECK(help.find(std::to_string(exit_code(info.fault)) + "  " + std::string(info.meaning)) !=
          std::string::npos);
  }
}
