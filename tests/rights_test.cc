// SPDX-License-Identifier: MIT
// Commits where the kernel would refuse a step: refused whole before the journal, or, where only
// attributes are concerned, without them and told. Never between two states.
#include "sync/rights.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <vector>

#include "sync/journal.h"
#include "sync/recovery.h"
#include "tests/support/catch.h"
#include "tests/support/destination.h"
#include "tests/support/temp_tree.h"

namespace xs {
namespace {

using test::as_nobody;
using test::Destination;
using test::mode_of;

constexpr unsigned kNobody = 65534;

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("only root can prepare objects of two users: nothing was tested");
  return false;
}

void own(const Destination& destination, const std::string& name, unsigned uid, unsigned gid,
         unsigned mode) {
  const std::string path = name.empty() ? destination.temp.path() : destination.temp / name;
  REQUIRE(::chown(path.c_str(), uid, gid) == 0);
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

void make_dir(const Destination& destination, const std::string& name, unsigned uid, unsigned gid,
              unsigned mode) {
  REQUIRE(::mkdir((destination.temp / name).c_str(), 0700) == 0);
  own(destination, name, uid, gid, mode);
}

Step mode_step(const std::string& path, unsigned mode) {
  Step step = Destination::bare(ActionKind::DirAttributes, path);
  step.attributes.mode = mode;
  return step;
}

std::string text_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    return error.text();
  }
  return "accepted";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool has_journal(Destination& destination) {
  return destination.disk.stat(journal_path()).has_value();
}

// chattr +i, -i; false where the file system or the container has no such thing.
bool set_immutable(const std::string& path, bool on) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  int flags = 0;
  if (!file || ::ioctl(file.get(), FS_IOC_GETFLAGS, &flags) != 0) return false;
  flags = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
  return ::ioctl(file.get(), FS_IOC_SETFLAGS, &flags) == 0;
}

// What RestrictSUIDSGID=yes of a unit does to chmod; for a child of the test.
bool forbid_set_ids() {
  constexpr auto load = [](std::size_t offset) {
    return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  };
  constexpr auto unless = [](std::uint16_t test, std::uint32_t value, std::uint8_t skip) {
    return sock_filter BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | BPF_K | test), value, 0, skip);
  };
  constexpr auto end = [](std::uint32_t verdict) {
    return sock_filter BPF_STMT(BPF_RET | BPF_K, verdict);
  };
  constexpr std::size_t kNumber = offsetof(seccomp_data, nr);
  constexpr std::size_t kArguments = offsetof(seccomp_data, args);
  std::vector<sock_filter> program;
  const auto refuse = [&](std::uint32_t call, std::size_t argument) {
    program.insert(program.end(),
                   {load(kNumber), unless(BPF_JEQ, call, 3), load(kArguments + 8 * argument),
                    unless(BPF_JSET, S_ISUID | S_ISGID, 1), end(SECCOMP_RET_ERRNO | EPERM)});
  };
#ifdef __NR_chmod
  refuse(__NR_chmod, 1);
#endif
  refuse(__NR_fchmod, 1);
  refuse(__NR_fchmodat, 2);
  program.push_back(end(SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

TEST_CASE("rights: a directory of somebody else keeps its mode, is told, and all else is new",
          "[sync]") {
  if (!is_root()) return;
  Destination destination;
  own(destination, "", kNobody, kNobody, 0700);
  make_dir(destination, "sub", 0, kNobody, 0775);
  const int at = as_nobody([&] {
    Staging staging = destination.stage();
    const CommitResult done = destination.run(
        staging, {Destination::install(staging, "sub/new", "bytes"), mode_step("sub", 0750)});
    if (done.problems.size() != 1 || done.problems[0].path != "sub") return 1;
    if (done.as_they_were != std::vector<std::string>{"sub"}) return 2;
    // Nothing else to do: no commit at all.
    Staging again = destination.stage();
    const CommitResult idle = destination.run(again, {mode_step("sub", 0750)});
    if (idle.problems.size() != 1 || idle.generation != 0) return 3;
    return has_journal(destination) ? 4 : 0;
  });
  CHECK(at == 0);
  CHECK(destination.temp.read("sub/new") == "bytes");
  CHECK(mode_of(destination.temp / "sub") == 0775);
}

TEST_CASE("rights: attributes that the kernel refuses after the journal do not stop the commit",
          "[sync]") {
  if (!is_root()) return;
  Destination destination;
  own(destination, "", kNobody, kNobody, 0700);
  make_dir(destination, "sub", 0, kNobody, 0775);
  const int at = as_nobody([&] {
    ensure_area(destination.disk, "");
    Journal journal;
    journal.id = 7;
    journal.steps = {mode_step("sub", 0750)};
    destination.disk.mkdir(run_dir("", journal.id), 0700);
    write_journal(destination.disk, journal);
    const Recovery recovery = recover(destination.disk, SteadyClock(), {});
    if (!recovery.completed || recovery.problems.size() != 1) return 1;
    return has_journal(destination) ? 2 : 0;
  });
  CHECK(at == 0);
}

TEST_CASE("rights: another's file in a sticky directory is refused before anything is touched",
          "[sync]") {
  if (!is_root()) return;
  Destination destination;
  own(destination, "", kNobody, kNobody, 0700);
  make_dir(destination, "sub", 0, 0, 01777);
  destination.temp.write("sub/file", "old", 0644);
  const int at = as_nobody([&] {
    const std::string placed = text_of([&] {
      Staging staging = destination.stage();
      const Step first = Destination::install(staging, "other", "bytes");
      destination.run(staging, {first, Destination::install(staging, "sub/file", "new")});
    });
    const std::string deleted = text_of([&] {
      Staging staging = destination.stage();
      destination.run(staging, {Destination::bare(ActionKind::Delete, "sub/file")});
    });
    if (!has(placed, "sticky") || !has(deleted, "sticky")) return 1;
    if (destination.disk.stat("other")) return 2;
    return has_journal(destination) ? 3 : 0;
  });
  CHECK(at == 0);
  CHECK(destination.temp.read("sub/file") == "old");
}

TEST_CASE("rights: an immutable file is refused before anything is touched", "[sync]") {
  Destination destination;
  destination.temp.write("file", "old");
  if (!set_immutable(destination.temp / "file", true)) {
    WARN("no immutable files here: nothing was tested");
    return;
  }
  const std::string text = text_of([&] {
    Staging staging = destination.stage();
    const Step first = Destination::install(staging, "other", "bytes");
    destination.run(staging, {first, Destination::install(staging, "file", "new")});
  });
  const bool journal = has_journal(destination);
  REQUIRE(set_immutable(destination.temp / "file", false));
  CHECK_THAT(text, Catch::Contains("immutable") && Catch::Contains("'file'"));
  CHECK_FALSE(journal);
  CHECK(destination.tree() == std::map<std::string, std::string>{{"file", "old"}});
}

TEST_CASE("rights: set-id bits that cannot be set are left out and told", "[sync]") {
  if (!is_root()) return;
  Destination destination;
  own(destination, "", kNobody, kNobody, 0700);
  make_dir(destination, "foreign", kNobody, 0, 0700);
  make_dir(destination, "ours", kNobody, kNobody, 0700);
  const int at = as_nobody([&] {
    Staging staging = destination.stage();
    const CommitResult done =
        destination.run(staging, {mode_step("ours", 02755), mode_step("foreign", 02755)});
    if (done.problems.size() != 1 || done.problems[0].path != "foreign") return 1;
    if (!forbid_set_ids()) return 2;
    Staging again = destination.stage();
    const Staged staged = again.make_dir("made");
    const CommitResult second =
        destination.run(again, {Destination::placed(ActionKind::MakeDir, "made", staged),
                                mode_step("made", 02750), mode_step("foreign", 02755)});
    if (second.problems.size() != 2 || second.as_they_were.size() != 1) return 3;
    return has_journal(destination) ? 4 : 0;
  });
  CHECK(at == 0);
  CHECK(mode_of(destination.temp / "ours") == 02755);
  CHECK(mode_of(destination.temp / "foreign") == 0755);
  CHECK(mode_of(destination.temp / "made") == 0750);
}

}  // namespace xs
