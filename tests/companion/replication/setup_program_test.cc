// SPDX-License-Identifier: MIT
// `xroad-companion replication setup` as an operator runs it.
#include <fstream>

#include "base/io.h"
#include "companion/replication/owned_file.h"
#include "tests/companion/replication/pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/program.h"

using namespace xs;
using namespace xs::test;
using Catch::Contains;

namespace {

constexpr const char* kClean = "it ended with status 0";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// What differs from machine to machine and from run to run.
std::string plain(std::string text, const Pair& pair) {
  replace_all(text, pair.primary.dir().path(), "PRIMARY");
  replace_all(text, pair.standby.dir().path(), "STANDBY");
  replace_all(text, std::to_string(pair.primary.port()), "PORT1");
  replace_all(text, std::to_string(pair.standby.port()), "PORT2");
  replace_all(text, postgres_programs(), "BIN");
  replace_all(text, "sudo -u " + postgres_account() + " ", "");
  replace_all(text, "-o " + postgres_account(), "-o OWNER");
  replace_all(text, "owner " + postgres_account(), "owner OWNER");
  const std::string system =
      pair.primary.value("select system_identifier from pg_control_system()");
  replace_all(text, system, "SYSTEM");
  replace_all(text, XS_COMPANION, "xroad-companion");
  std::string out;  // the lines of a certificate are another one each time
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = text.find('\n', at) + 1 - at;
    const std::string line = text.substr(at, size);
    at += size;
    if (line.find("-----END") != std::string::npos) inside = false;
    if (!inside) out += line.starts_with("      @@ ") ? "      @@\n" : line;
    if (line.find("-----BEGIN") != std::string::npos) inside = true;
  }
  return out;
}

std::string golden(const std::string& name) {
  return read_file(std::string(XS_SOURCE_DIR) + "/tests/golden/" + name, 1U << 20);
}

// With XS_GOLDEN=1 the files are written, to be read before they are committed.
void check_golden(const std::string& name, const std::string& text) {
  if (std::getenv("XS_GOLDEN") != nullptr) {
    std::ofstream(std::string(XS_SOURCE_DIR) + "/tests/golden/" + name) << text;
  }
  CHECK(text == golden(name));
}

std::vector<std::string> command(const Pair& pair, const Node& node, const std::string& side) {
  return {XS_COMPANION,
          "--config",
          pair.primary.dir() / "companion.ini",
          "--xroad",
          pair.primary.dir() / "xroad",
          "replication",
          "setup",
          side,
          "--data",
          node.data(),
          "--config",
          node.config(),
          "--bin",
          postgres_programs(),
          "--pki",
          node.dir() / "pki"};
}

std::vector<std::string> operator+(std::vector<std::string> words,
                                   const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

TEST_CASE("setup: the program says what it would do, to the letter, and does nothing",
          "[replication][database]") {
  if (without_postgres()) return;
  Pair pair(Profile::Xroad, Node::Layout::Apart, Node::Layout::InData);
  pair.primary.dir().write("companion.ini", "[cluster]\nname = serverconf\n");
  const auto primary =
      command(pair, pair.primary, "primary") +
      std::vector<std::string>{"--name",    "ss1",           "--host",   "localhost",
                               "--standby", "ss2=localhost", "--listen", "127.0.0.1"};
  const auto standby = command(pair, pair.standby, "standby");

  const Outcome down = run_program(primary);
  CHECK_THAT(down.end, Contains("does not run; start it: ") && Contains("status 10"));
  pair.primary.start();

  const Outcome dry = run_program(primary + std::vector<std::string>{"--dry-run"});
  CHECK(dry.end == kClean);
  check_golden("replication_setup_primary.txt", plain(dry.out, pair));
  CHECK_FALSE(path_exists(pair.primary.dir() / "pki"));
  CHECK(pair.primary.value("select count(*) from pg_roles where rolname = 'slavenode'") == "0");

  const Outcome done = run_program(primary);
  CHECK(done.end == kClean);
  CHECK_THAT(done.out, Contains("[14/14] make the replication slot ss2: done\n"));
  const Outcome again = run_program(primary);
  CHECK(again.end == kClean);
  CHECK_THAT(again.out, Contains("Nothing had to be changed.\n") && !Contains(": done\n"));

  CHECK_THAT(run_program(standby).end,
             Contains("give --bundle, or --primary") && Contains("status 1"));
  CHECK_THAT(run_program(standby + std::vector<std::string>{"--bundle", "/nope"}).end,
             Contains("/nope/standby.ini") && Contains("status 11"));
  std::vector<std::string> bundle{"--bundle", pair.primary.dir() / "pki/bundles/ss2"};
  CHECK_THAT(run_program(standby + bundle).end,
             Contains("is no copy of the primary's: say --replace-data") && Contains("status 25"));
  bundle.emplace_back("--replace-data");
  CHECK_THAT(run_program(standby + bundle + std::vector<std::string>{"--name", "ss3"}).end,
             Contains("--bundle says what") && Contains("status 1"));
  const Outcome dry_standby = run_program(standby + bundle + std::vector<std::string>{"--dry-run"});
  CHECK(dry_standby.end == kClean);
  check_golden("replication_setup_standby.txt", plain(dry_standby.out, pair));
  CHECK_FALSE(path_exists(pair.standby.dir() / "pki"));

  const Outcome copied = run_program(standby + bundle);
  CHECK(copied.end == kClean);
  CHECK(pair.row_arrives("one"));
  CHECK_THAT(run_program(standby + bundle).out, Contains("Nothing had to be changed."));
}
