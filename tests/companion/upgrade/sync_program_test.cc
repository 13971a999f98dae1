// SPDX-License-Identifier: MIT
// How the upgrade runs xroad-sync of its node: as which account, and with which environment. A
// program that tells both stands in its place.
#include "companion/upgrade/sync_program.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using Catch::Contains;
using test::TempDir;
using test::thrown_by;

namespace {

// Its answer to `status --json`.
constexpr const char* kTells =
    "#!/bin/sh\n"
    "printf '{\"paused\":{\"by\":\"%s %s\",\"reason\":\"%s|%s|%s|%s|%s\"}}' \"$(id -u)\" "
    "\"$(id -G)\" \"$ONE\" \"$TWO\" \"$THREE\" \"$HOME\" \"${XS_TEST_OURS-nothing of ours}\"\n";

struct Node {
  TempDir dir;
  UpgradeSettings settings;
  SteadyClock clock;

  Node() {
    REQUIRE(::chmod(dir.path().c_str(), 0711) == 0);  // another account runs what lies in it
    settings.sync_program = dir.write("tells", kTells, 0755);
    settings.sync_environment = dir.write("environment",
                                          "# of the unit\nONE=1 and one\n\nTWO=\"in quotes\"\n"
                                          "; nothing\nTHREE='as well'\nno assignment\n");
  }
  SyncPause answer() { return SyncProgram(settings, clock).pause_now().value(); }
};

std::string groups_of_process() {
  std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
  groups.resize(
      static_cast<std::size_t>(::getgroups(static_cast<int>(groups.size()), groups.data())));
  std::string text = std::to_string(::getegid());
  for (const gid_t group : groups) {
    if (group != ::getegid()) text += " " + std::to_string(group);
  }
  return text;
}

}  // namespace

TEST_CASE("sync program: it has the environment of its unit and nothing of ours", "[upgrade]") {
  Node node;
  ::setenv("XS_TEST_OURS", "leaked", 1);
  node.settings.sync_user = "no-such-account";  // then we are who runs it
  const SyncPause answer = node.answer();
  ::unsetenv("XS_TEST_OURS");
  CHECK(answer.by == std::to_string(::geteuid()) + " " + groups_of_process());
  const char* home = std::getenv("HOME");
  CHECK(answer.reason == "1 and one|in quotes|as well|" + std::string(home == nullptr ? "" : home) +
                             "|nothing of ours");
  node.settings.sync_environment = node.dir / "none";
  CHECK_THAT(node.answer().reason, Catch::StartsWith("|||"));
}

TEST_CASE("sync program: root runs it as the account of X-Road, with its home and its groups only",
          "[upgrade]") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can be another account");
    return;
  }
  Node node;
  node.settings.sync_user = "nobody";
  const passwd* entry = ::getpwnam("nobody");
  if (entry == nullptr) {
    WARN("skipped: there is no account nobody");
    return;
  }
  const std::string home = entry->pw_dir;
  const SyncPause answer = node.answer();
  CHECK(answer.by == std::to_string(entry->pw_uid) + " " + std::to_string(entry->pw_gid));
  CHECK(answer.reason == "1 and one|in quotes|as well|" + home + "|nothing of ours");

  // What root alone may read is read before: the unit's file is.
  CHECK((::access(node.settings.sync_environment.c_str(), R_OK) == 0));
  node.settings.sync_program = node.dir.write("root-only", kTells, 0700);
  const auto error = thrown_by([&] { node.answer(); });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("root-only"));
}
