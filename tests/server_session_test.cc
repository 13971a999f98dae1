// SPDX-License-Identifier: MIT
#include "cli/server_session.h"

#include "base/error.h"
#include "tests/support/catch.h"
#include "tests/support/temp_tree.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using cli::sender_config;
using test::TempTree;

namespace {

cli::ServerConfig two_roots(const TempTree& tree) {
  return cli::parse_server_config(
      "[server]\nrounds = 3\nmax-entries = 77\n[root plain]\npath = " + tree.path_of("plain") +
          "\n[root]\npath = " + tree.path_of("xroad") + "\npreset = xroad\n",
      "server.ini");
}

}  // namespace

TEST_CASE("server_session: each path gets its root's rules, check and limits", "[cli]") {
  TempTree tree;
  tree.dir("plain").dir("plain/sub").dir("xroad").dir("xroad/conf.d");
  const cli::ServerConfig config = two_roots(tree);
  std::vector<std::string> asked;
  const cli::SourceCheck check = [&](const cli::ServerRoot& root) {
    asked.push_back(root.path);
    if (root.xroad) throw Error(Fault::Vanished, "a restore is at work");
  };
  SessionAccount account;
  const SenderConfig made = sender_config(config, check, &account);
  const SenderConfig plain = made.choose(tree.path_of("plain/sub/"));
  CHECK(plain.root == tree.path_of("plain"));
  CHECK(plain.below == "sub");
  CHECK(plain.rounds == 3);
  CHECK(plain.max_entries == 77);
  CHECK(plain.account == &account);
  CHECK(plain.mandatory.rules().empty());
  CHECK_NOTHROW(plain.check());
  const SenderConfig xroad = made.choose(tree.path_of("xroad"));
  CHECK(xroad.mandatory == config.roots[1].excludes);
  CHECK(test::thrown_by(xroad.check)->fault() == Fault::Vanished);
  CHECK(asked == std::vector<std::string>{config.roots[0].path, config.roots[1].path});
  CHECK(test::thrown_by([&] { made.choose("/elsewhere"); })->fault() == Fault::Selection);
  CHECK(account.reason == "no root");
}

TEST_CASE("server_session: only X-Road's tree is scanned ahead, and whole", "[cli]") {
  TempTree tree;
  tree.dir("plain").dir("xroad");
  const cli::ServerConfig config = two_roots(tree);
  const cli::SourceCheck none;
  const SenderConfig made = sender_config(config, none);
  CHECK(made.root == tree.path_of("xroad"));
  CHECK(made.below.empty());
  CHECK(made.mandatory == config.roots[1].excludes);
  CHECK(made.expected);
  CHECK_FALSE(made.check);
  const cli::ServerConfig plain =
      cli::parse_server_config("[root]\npath = " + tree.path_of("plain") + "\n", "server.ini");
  CHECK_FALSE(sender_config(plain, none).expected);
  CHECK(sender_config(plain, none).root.empty());
}
