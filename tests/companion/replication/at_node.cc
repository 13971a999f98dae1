// SPDX-License-Identifier: MIT
#include "tests/companion/replication/at_node.h"

#include <algorithm>

#include "tests/support/postgres.h"

namespace xs::test {
namespace {

using Words = std::vector<std::string>;

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words program(const Node& node) {
  node.dir().write("companion.ini", "[cluster]\nname = serverconf\n", 0644);
  return {XS_COMPANION, "--config",           node.dir() / "companion.ini",
          "--xroad",    node.dir() / "xroad", "replication"};
}

}  // namespace

Outcome ask_at(const Node& node, const Words& verb) {
  Words all = program(node) + verb +
              Words{"--host", node.dir() / "run", "--port", std::to_string(node.port())};
  const bool said = std::find(verb.begin(), verb.end(), "--user") != verb.end();
  if (!said) all = all + Words{"--user", postgres_account()};
  return run_program(all);
}

Outcome change_at(const Node& node, const Words& verb, const Words& before) {
  return run_program(
      before + program(node) + verb +
      Words{"--data", node.data(), "--config", node.config(), "--bin", postgres_programs()});
}

}  // namespace xs::test
