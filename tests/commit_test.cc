// SPDX-License-Identifier: MIT
// Commit on the real file system.
#include "sync/commit.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <thread>

#include "sync/recovery.h"
#include "tests/support/catch.h"
#include "tests/support/destination.h"

namespace xs {
namespace {

namespace fs = std::filesystem;
using test::Destination;
using test::mode_of;
using test::refusal;
using test::stat_of;

using D = Destination;

// A tmpfs for as long as it lives; nothing without privilege.
class Mounted {
 public:
  explicit Mounted(std::string path) : path_(std::move(path)) {
    is_ = ::mount("xs-test", path_.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~Mounted() {
    if (is_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  explicit operator bool() const { return is_; }

 private:
  std::string path_;
  bool is_ = false;
};

}  // namespace

TEST_CASE("commit: every kind of step does what it says, with final attributes", "[sync]") {
  Destination d;
  d.temp.write("a", "old a");
  d.temp.write("gone", "bye");
  d.temp.write("turns", "file");
  REQUIRE(::mkdir((d.temp / "empty").c_str(), 0755) == 0);
  Staging staging = d.stage();
  std::vector<Step> steps;
  steps.push_back(D::bare(ActionKind::Displace, "turns"));
  steps.push_back(D::placed(ActionKind::MakeDir, "turns", staging.make_dir("turns")));
  steps.push_back(D::install(staging, "a", "new a", 0600));
  steps.push_back(D::install(staging, "turns/in", "inside", 0644));
  steps.push_back(D::placed(ActionKind::Link, "b", staging.make_link("b", steps[2].staged)));
  steps.push_back(D::placed(ActionKind::Symlink, "l", staging.make_symlink("l", "a", {})));
  steps.push_back(D::placed(ActionKind::Special, "p",
                            staging.make_special("p", S_IFIFO | 0600, 0, D::like(0620))));
  steps.push_back(D::bare(ActionKind::Delete, "gone"));
  steps.push_back(D::bare(ActionKind::DeleteDir, "empty"));
  steps.push_back(D::bare(ActionKind::DirAttributes, "turns"));
  steps.back().attributes.mode = 0751;
  steps.push_back(D::bare(ActionKind::DirAttributes, ""));
  steps.back().attributes.mode = 0705;
  const auto result = d.run(staging, std::move(steps));
  CHECK(result.problems.empty());
  CHECK(result.generation == 1);
  REQUIRE(::unlink((d.temp / "p").c_str()) == 0);  // tree() would wait for a writer
  CHECK(d.tree() ==
        std::map<std::string, std::string>{
            {"a", "new a"}, {"b", "new a"}, {"l", "-> a"}, {"turns", "/"}, {"turns/in", "inside"}});
  CHECK(mode_of(d.temp / "a") == 0600);
  CHECK(stat_of(d.temp / "a").st_mtim.tv_nsec == 123'456'789);
  CHECK(stat_of(d.temp / "a").st_ino == stat_of(d.temp / "b").st_ino);
  CHECK(mode_of(d.temp / "turns") == 0751);
  CHECK(mode_of(d.temp.path()) == 0705);
  CHECK(d.area().empty());
}

TEST_CASE("commit: without steps nothing is written", "[sync]") {
  Destination d;
  {
    Staging staging = d.stage();
    CHECK(d.run(staging, {}).generation == 0);
  }
  CHECK(d.area().empty());
  CHECK_FALSE(fs::exists(d.temp / ".xroad-sync/previous"));
}

TEST_CASE("commit: a reader that has the old file open keeps it", "[sync]") {
  Destination d;
  d.temp.write("a", "old");
  const Fd reader(::open((d.temp / "a").c_str(), O_RDONLY | O_CLOEXEC));
  d.put("a", "new bytes");
  char buffer[16];
  CHECK(std::string(buffer, static_cast<std::size_t>(::read(reader.get(), buffer, 16))) == "old");
  CHECK(d.temp.read("a") == "new bytes");
}

TEST_CASE("commit: staged files are private until they are in place", "[sync]") {
  Destination d;
  const mode_t mask = ::umask(0);
  Staging staging = d.stage();
  StagedFile file = staging.create("a");
  file.write("secret");
  CHECK(mode_of(d.temp / ".xroad-sync") == 0700);
  for (const auto& one : fs::recursive_directory_iterator(d.temp / ".xroad-sync")) {
    CHECK(mode_of(one.path().string()) == (one.is_directory() ? 0700 : 0600));
  }
  ::umask(mask);
}

TEST_CASE("commit: what is not committed is gone with its owner", "[sync]") {
  Destination d;
  {
    Staging staging = d.stage();
    { StagedFile file = staging.create("a"); }
    CHECK(fs::is_empty(d.temp / ".xroad-sync/run-0000000000000001"));
    D::install(staging, "b", "bytes");
    staging.make_dir("c");
  }
  CHECK(d.area().empty());
  CHECK(d.tree().empty());
}

TEST_CASE("commit: a tree that changed under the plan is refused untouched", "[sync]") {
  Destination d;
  d.temp.write("a", "a");
  REQUIRE(::mkdir((d.temp / "d").c_str(), 0755) == 0);
  const auto before = d.tree();
  const auto refused = [&](ActionKind kind, const std::string& path) {
    Staging staging = d.stage();
    std::vector<Step> steps{D::install(staging, "first", "x")};
    if (kind == ActionKind::Install) {
      steps.push_back(D::install(staging, path, "x"));
    } else {
      steps.push_back(D::bare(kind, path));
    }
    const std::string text = refusal([&] { d.run(staging, steps); });
    CHECK(text.find(path) != std::string::npos);
    CHECK(d.tree() == before);
    return text;
  };
  refused(ActionKind::Install, "d");
  refused(ActionKind::Install, "none/x");
  refused(ActionKind::Install, "a/x");
  refused(ActionKind::Displace, "none");
  refused(ActionKind::Delete, "d");
  refused(ActionKind::DeleteDir, "a");
  refused(ActionKind::DirAttributes, "a");
  CHECK(d.area().empty());
  CHECK(list_generations(d.disk).empty());
}

TEST_CASE("commit: nothing lands in a staging area or outside", "[sync]") {
  Destination d;
  Staging staging = d.stage();
  for (const char* path : {".xroad-sync/lock", "a/.xroad-sync/b", "../a", "/a", "a//b", "./a"}) {
    INFO(path);
    CHECK_THROWS_AS(staging.create(path), Error);
    CHECK_THROWS_AS(d.run(staging, {D::bare(ActionKind::Delete, path)}), Error);
  }
}

TEST_CASE("commit: a directory that cannot be written to is found before anything is touched",
          "[sync]") {
  if (::geteuid() == 0) return;  // root can write anywhere
  Destination d;
  REQUIRE(::mkdir((d.temp / "d").c_str(), 0555) == 0);
  Staging staging = d.stage();
  std::vector<Step> steps{D::install(staging, "a", "x"), D::install(staging, "d/x", "x")};
  CHECK(refusal([&] { d.run(staging, steps); }).find("'d'") != std::string::npos);
  CHECK(d.tree().count("a") == 0);
}

TEST_CASE("commit: many files and many directories arrive", "[sync]") {
  Destination d;
  Staging staging = d.stage();
  std::vector<Step> steps;
  for (int i = 0; i < 100; ++i) {
    const std::string dir = "d" + std::to_string(i);
    steps.push_back(D::placed(ActionKind::MakeDir, dir, staging.make_dir(dir)));
  }
  for (int i = 0; i < 100; ++i) {
    steps.push_back(D::install(staging, "d" + std::to_string(i) + "/f", std::to_string(i)));
  }
  d.run(staging, std::move(steps));
  CHECK(d.tree().size() == 200);
  CHECK(d.temp.read("d99/f") == "99");
  CHECK(d.area().empty());
}

TEST_CASE("commit: a directory that shuts itself is still made safe", "[sync]") {
  Destination d;
  Staging staging = d.stage();
  std::vector<Step> steps{D::placed(ActionKind::MakeDir, "d", staging.make_dir("d")),
                          D::install(staging, "d/f", "x"), D::bare(ActionKind::DirAttributes, "d")};
  steps.back().attributes.mode = 0100;
  const CommitResult result = d.run(staging, std::move(steps));
  CHECK(result.problems.empty());
  CHECK(mode_of(d.temp / "d") == 0100);
  CHECK(d.temp.read("d/f") == "x");
  CHECK(d.area().empty());
}

TEST_CASE("commit: files are staged by several threads at once", "[sync]") {
  Destination d;
  Staging staging = d.stage();
  std::vector<Step> parts[2];
  const auto work = [&](int part) {
    for (int i = 0; i < 100; ++i) {
      const std::string name = std::string(part == 0 ? "a" : "b") + std::to_string(i);
      parts[part].push_back(D::install(staging, name, name));
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  std::move(parts[1].begin(), parts[1].end(), std::back_inserter(parts[0]));
  d.run(staging, std::move(parts[0]));
  CHECK(d.tree().size() == 200);
  CHECK(d.temp.read("b99") == "b99");
}

TEST_CASE("commit: the security label of the replaced file is carried over", "[sync]") {
  Destination d;
  d.temp.write("a", "old");
  const std::string label = "system_u:object_r:xroad_etc_t:s0";
  if (::lsetxattr((d.temp / "a").c_str(), "security.selinux", label.data(), label.size(), 0) != 0) {
    WARN("no security labels here");
    return;
  }
  Staging staging = d.stage();
  StagedFile file = staging.create("a");
  Attributes final = D::like(0640);
  final.label = d.disk.label("a");
  REQUIRE(final.label == label);
  d.run(staging, {D::placed(ActionKind::Install, "a", file.keep(final))});
  CHECK(d.disk.label("a") == label);
}

TEST_CASE("commit: a file lands on another file system below the root", "[sync]") {
  Destination d;
  REQUIRE(::mkdir((d.temp / "m").c_str(), 0755) == 0);
  const Mounted mounted(d.temp / "m");
  if (!mounted) {
    WARN("no mounts here");
    return;
  }
  d.temp.write("m/old", "old");
  const std::vector<std::string> paths{"m/new", "m/sub/x", "a"};
  const Areas areas = Areas::find(d.disk, paths);
  REQUIRE(areas.roots() == std::vector<std::string>{"", "m"});
  {
    Staging staging(d.disk, areas, 5);
    d.run(staging, {D::install(staging, "m/new", "new"), D::install(staging, "m/old", "newer"),
                    D::install(staging, "a", "a")});
    CHECK(d.temp.read("m/new") == "new");
    Staging other(d.disk, areas, 6);
    const std::string text = refusal([&] { d.run(other, {D::bare(ActionKind::Displace, "m")}); });
    CHECK(text.find("mount point") != std::string::npos);
  }
  d.roll_back(1);
  CHECK(d.temp.read("m/old") == "old");
  CHECK_FALSE(fs::exists(d.temp / "m/new"));
  Staging crashed(d.disk, areas, 7);
  D::install(crashed, "m/new", "x");
  crashed.release();
  CHECK(recover(d.disk, SteadyClock(), {}).cleaned);
  CHECK_FALSE(fs::exists(d.temp / "m/.xroad-sync/run-0000000000000007"));
}

TEST_CASE("commit: space that is not there is missed before anything is fetched", "[sync]") {
  Destination d;
  Entries target;
  target.list.resize(2);
  target.list[1].path = "huge";
  target.list[1].size = std::uint64_t{1} << 60;
  Plan plan;
  plan.contents.push_back({1, Source::Remote, false});
  const std::string text = refusal([&] { check_space(d.disk, Areas(), plan, target); });
  CHECK(text.find("not enough space") != std::string::npos);
  CHECK(text.find(std::to_string(std::uint64_t{1} << 60).substr(0, 6)) != std::string::npos);
  target.list[1].size = 10;
  check_space(d.disk, Areas(), plan, target);
}

}  // namespace xs
