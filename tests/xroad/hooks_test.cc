// SPDX-License-Identifier: MIT
#include "sync/xroad/hooks.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace xs;
using Catch::Contains;
using test::TempDir;

using Names = std::vector<std::string>;

namespace {

// A hooks.d, a place for private files, and a file that hooks write to.
struct Hooks {
  TempDir dir;
  HookRequest request;
  SteadyClock clock;

  Hooks() {
    for (const char* name : {"hooks.d", "temp"}) REQUIRE(::mkdir((dir / name).c_str(), 0755) == 0);
    request.directory = dir / "hooks.d";
    request.temp_dir = dir / "temp";
    request.root = "/the/root";
    request.generation = "00ff";
    request.changed = {"signer/keyconf.xml", "odd\nname"};
  }
  void add(const std::string& name, const std::string& body, unsigned mode = 0755) const {
    dir.write("hooks.d/" + name, "#!/bin/sh\n" + body + "\n", mode);
  }
  HookReport run() { return run_hooks(request, clock); }
  std::string said() const { return dir.read("said"); }
  std::string to_said() const { return " >> " + (dir / "said"); }
};

}  // namespace

TEST_CASE("hooks: the programs run in the order of their names, and nothing else does", "[xroad]") {
  Hooks hooks;
  hooks.add("20-b", "echo b" + hooks.to_said());
  hooks.add("10-a", "echo a" + hooks.to_said());
  for (const char* name : {".hidden", "30-c~", "40-d.dpkg-old", "50-e.rpmsave", "60-f.disabled"}) {
    hooks.add(name, "echo no" + hooks.to_said());
  }
  hooks.add("README", "echo no" + hooks.to_said(), 0644);
  REQUIRE(::mkdir((hooks.dir / "hooks.d/dir").c_str(), 0755) == 0);
  const HookReport report = hooks.run();
  CHECK(report.ran == Names{"10-a", "20-b"});
  CHECK(report.failures.empty());
  CHECK(hooks.said() == "a\nb\n");
}

TEST_CASE("hooks: a hook learns what changed, from a private file that is gone afterwards",
          "[xroad]") {
  Hooks hooks;
  hooks.add("h", "env | grep -c XROAD_SYNC_" + hooks.to_said() +
                     "\necho \"$XROAD_SYNC_HOOK $XROAD_SYNC_ROOT $XROAD_SYNC_GENERATION "
                     "$XROAD_SYNC_CHANGED $#\"" +
                     hooks.to_said() + "\nstat -c %a \"$XROAD_SYNC_CHANGED_FILE\"" +
                     hooks.to_said() + "\ncat \"$XROAD_SYNC_CHANGED_FILE\"" + hooks.to_said());
  CHECK(hooks.run().failures.empty());
  const std::string expected =
      std::string("5\nh /the/root 00ff 2 0\n600\nsigner/keyconf.xml") + '\0' + "odd\nname" + '\0';
  CHECK(hooks.said() == expected);
  CHECK(std::filesystem::is_empty(hooks.dir / "temp"));
}

TEST_CASE("hooks: one that fails is told, and the next one runs", "[xroad]") {
  Hooks hooks;
  hooks.add("1", "exit 7");
  hooks.add("2", "echo two" + hooks.to_said());
  hooks.dir.write("hooks.d/3", "no program", 0755);
  const HookReport report = hooks.run();
  REQUIRE(report.failures.size() == 2);
  CHECK_THAT(report.failures[0], Contains("'1'") && Contains("status 7"));
  CHECK_THAT(report.failures[1], Contains("'3'") || Contains("/3"));
  CHECK(hooks.said() == "two\n");
}

TEST_CASE("hooks: all of them together have one limit of time", "[xroad]") {
  Hooks hooks;
  hooks.request.limit = std::chrono::milliseconds(400);
  hooks.add("1", "echo one" + hooks.to_said());
  hooks.add("2", "exec sleep 600");
  hooks.add("3", "echo three" + hooks.to_said());
  const HookReport report = hooks.run();
  CHECK(report.ran == Names{"1", "2"});
  REQUIRE(report.failures.size() == 2);
  CHECK_THAT(report.failures[0], Contains("'2'") && Contains("took longer"));
  CHECK_THAT(report.failures[1], Contains("'3'") && Contains("not run"));
  CHECK(hooks.said() == "one\n");
}

TEST_CASE("hooks: what somebody else could have written is not run, and that is told", "[xroad]") {
  Hooks hooks;
  hooks.add("1-group", "echo no" + hooks.to_said(), 0775);
  hooks.add("2-good", "echo yes" + hooks.to_said());
  hooks.dir.write("target", "#!/bin/sh\necho no" + hooks.to_said(), 0755);
  REQUIRE(::symlink((hooks.dir / "target").c_str(), (hooks.dir / "hooks.d/3-link").c_str()) == 0);
  if (::geteuid() == 0) {
    hooks.add("4-nobody", "echo no" + hooks.to_said());
    REQUIRE(::chown((hooks.dir / "hooks.d/4-nobody").c_str(), 65534, 65534) == 0);
  }
  const HookReport report = hooks.run();
  CHECK(report.ran == Names{"2-good"});
  CHECK(hooks.said() == "yes\n");
  CHECK(report.failures.size() == (::geteuid() == 0 ? 3U : 2U));
  CHECK_THAT(report.failures[0], Contains("'1-group'") && Contains("chmod go-w"));
}

TEST_CASE("hooks: a directory that others may write runs nothing; an absent one is no failure",
          "[xroad]") {
  Hooks hooks;
  hooks.add("1", "echo no" + hooks.to_said());
  REQUIRE(::chmod(hooks.request.directory.c_str(), 0777) == 0);
  const HookReport report = hooks.run();
  CHECK(report.ran.empty());
  REQUIRE(report.failures.size() == 1);
  CHECK_THAT(report.failures[0], Contains("no hook was run"));
  hooks.request.directory = hooks.dir / "absent";
  CHECK(hooks.run().failures.empty());
}

TEST_CASE("hooks: a place for the private file that is missing is told, not thrown", "[xroad]") {
  Hooks hooks;
  hooks.add("1", "true");
  hooks.request.temp_dir = hooks.dir / "absent";
  CHECK(hooks.run().failures.size() == 1);
}
