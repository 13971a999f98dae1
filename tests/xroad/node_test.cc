// SPDX-License-Identifier: MIT
#include "sync/xroad/node.h"

#include <sys/stat.h>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/temp_tree.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::TempDir;
using test::thrown_by;

namespace {

NodeRole role(const std::string& line) { return parse_node("[node]\n" + line + "\n", "n").role; }

Error refused(const std::string& text) {
  const auto error = thrown_by([&] { parse_node(text, "node.ini"); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Role);
  return *error;
}

Error unreadable(const std::string& path) {
  const auto error = thrown_by([&] { read_node(path); });
  REQUIRE(error);
  CHECK(error->fault() == Fault::Role);
  return *error;
}

}  // namespace

TEST_CASE("node: the old and the new words name the same roles, in any case", "[xroad]") {
  CHECK(role("type=slave") == NodeRole::Secondary);
  CHECK(role("type = SLAVE") == NodeRole::Secondary);
  CHECK(role("type = Secondary") == NodeRole::Secondary);
  CHECK(role("type=MASTER") == NodeRole::Primary);
  CHECK(role("type=primary") == NodeRole::Primary);
  CHECK(role("type=Standalone") == NodeRole::Standalone);
}

TEST_CASE("node: quotes and a comment behind the value are X-Road's, not part of it", "[xroad]") {
  CHECK(role("type=slave ; this one reads") == NodeRole::Secondary);
  CHECK(role("type=slave\t# this one reads") == NodeRole::Secondary);
  CHECK(role("type=\"master\" ; quoted") == NodeRole::Primary);
  CHECK_THAT(refused("[node]\ntype=slave;x\n").text(), Contains("'slave;x'"));
}

TEST_CASE("node: what is not a role is refused with its place and what to write", "[xroad]") {
  const Error unknown = refused("; who am I\n[node]\ntype = slvae\n");
  CHECK_THAT(unknown.text(), Contains("node.ini:3"));
  CHECK_THAT(unknown.text(), Contains("'slvae'"));
  CHECK_THAT(unknown.text(), Contains("type = slave"));
  CHECK_THAT(refused("[node]\ntype =\n").text(), Contains("node.ini:2"));
  CHECK_THAT(refused("").text(), Contains("no 'type'"));
  CHECK_THAT(refused("[proxy]\ntype = slave\n").text(), Contains("no 'type'"));
  CHECK_THAT(refused("[node\ntype = slave\n").text(), Contains("node.ini:1"));
  CHECK_THAT(refused("[node]\ntype = a\x1B[31m\n").text(), !Contains("\x1B"));
}

TEST_CASE("node: a file that says two things says nothing", "[xroad]") {
  CHECK_THAT(refused("[node]\ntype=slave\ntype=master\n").text(), Contains("node.ini:2"));
  CHECK(parse_node("[node]\ntype=slave\n[node]\ntype=SECONDARY\n", "n").role ==
        NodeRole::Secondary);
}

TEST_CASE("node: a file that is missing, unreadable or no file is a matter of role", "[xroad]") {
  const TempDir dir;
  CHECK_THAT(unreadable(dir / "node.ini").text(), Contains("missing"));
  CHECK_THAT(unreadable(dir.path()).text(), Contains("regular file"));
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK_THAT(unreadable(dir / "fifo").text(), Contains("regular file"));
  const std::string large = dir.write("large", std::string(100'000, ';'));
  CHECK_THAT(unreadable(large).text(), Contains("large"));
  const std::string good = dir.write("good", "[node]\ntype=slave\n");
  CHECK(read_node(good).where == good + ":2");
}

TEST_CASE("node: a file that we may not read is a matter of role", "[xroad]") {
  test::TempTree tree;
  tree.file("node.ini", "[node]\ntype=slave\n", 0000);
  const std::string path = tree.path_of("node.ini");
  CHECK(test::as_nobody([&] {
          const auto error = thrown_by([&] { read_node(path); });
          return error && error->fault() == Fault::Role && error->code() == EACCES ? 0 : 1;
        }) == 0);
}

TEST_CASE("node: only a secondary is synced to, and only a primary is copied from", "[xroad]") {
  const auto fault = [](auto&& check, NodeRole role) {
    const auto error = thrown_by([&] { check(Node{role, "word", "node.ini:2"}); });
    if (error) CHECK_THAT(error->text(), Contains("node.ini:2") && Contains("'word'"));
    return error ? exit_code(error->fault()) : 0;
  };
  CHECK(fault(require_secondary, NodeRole::Secondary) == 0);
  CHECK(fault(require_secondary, NodeRole::Primary) == 46);
  CHECK(fault(require_secondary, NodeRole::Standalone) == 46);
  CHECK(fault(require_primary, NodeRole::Primary) == 0);
  CHECK(fault(require_primary, NodeRole::Secondary) == 46);
  CHECK(fault(require_primary, NodeRole::Standalone) == 46);
}
