// SPDX-License-Identifier: MIT
// Recovery and rollback on the real file system.
#include "sync/rollback.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

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

}  // namespace

// ---- recovery

TEST_CASE("recovery: what a crash left is removed, what is kept stays", "[sync]") {
  Destination d;
  CHECK_FALSE(recover(d.disk, SteadyClock(), {}).cleaned);
  d.put("a", "1");
  d.put("a", "2");
  {
    Staging crashed = d.stage();
    D::install(crashed, "x", "half");
    REQUIRE(::mkdir((d.temp / ".xroad-sync/previous/7").c_str(), 0700) == 0);
    crashed.release();
  }
  CHECK(d.area().size() == 1);
  const Recovery first = recover(d.disk, SteadyClock(), {});
  CHECK(first.cleaned);
  CHECK_FALSE(first.completed);
  CHECK(d.area().empty());
  CHECK(list_generations(d.disk).size() == 2);
  CHECK_FALSE(fs::exists(d.temp / ".xroad-sync/previous/7"));
  CHECK_FALSE(recover(d.disk, SteadyClock(), {}).cleaned);
}

TEST_CASE("recovery: a journal is completed, and whoever waits is woken until it works", "[sync]") {
  Destination d;
  d.temp.write("a", "old");
  {
    Staging staging = d.stage();
    CommitRequest request;
    request.steps = {D::install(staging, "a", "new")};
    request.wake = "signer";
    request.on_wake = [](std::string_view) { throw Error(Fault::Action, "signer is away"); };
    try {
      commit(staging, SteadyClock(), std::move(request));
      FAIL("committed");
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::Action);
      CHECK(error.text().find("next run completes it") != std::string::npos);
    }
  }
  CHECK(has_staging(Dir::open_root(d.temp.path())));
  std::string woken;
  RecoveryRules rules;
  rules.on_wake = [&](std::string_view bytes) { woken += bytes; };
  CHECK(recover(d.disk, SteadyClock(), rules).completed);
  CHECK(woken == "signer");
  CHECK(d.temp.read("a") == "new");
  CHECK(d.area().empty());
  CHECK_FALSE(recover(d.disk, SteadyClock(), rules).completed);
  CHECK(woken == "signer");
}

TEST_CASE("recovery: a journal whose staged files are out of reach touches nothing", "[sync]") {
  Destination d;
  ensure_area(d.disk, "");
  d.temp.write("a", "a");
  Journal journal;
  journal.id = 9;
  journal.areas = Areas({"m"});
  journal.steps = {D::bare(ActionKind::Delete, "a")};
  write_journal(d.disk, journal);
  const std::string text = refusal([&] { recover(d.disk, SteadyClock(), {}); });
  CHECK(text.find("mounted") != std::string::npos);
  CHECK(d.temp.read("a") == "a");
  CHECK(d.disk.stat(journal_path()));
}

// ---- rollback

TEST_CASE("rollback: one commit or several are undone, and the undoing too", "[sync]") {
  Destination d;
  d.temp.write("a", "one", 0604);
  d.put("a", "two");
  {
    Staging staging = d.stage();
    d.run(staging, {D::install(staging, "b", "b"), D::bare(ActionKind::Delete, "a")});
  }
  d.roll_back(2);
  CHECK(d.tree() == std::map<std::string, std::string>{{"a", "two"}});
  CHECK(mode_of(d.temp / "a") == 0640);
  d.roll_back(1);
  CHECK(d.tree() == std::map<std::string, std::string>{{"a", "one"}});
  CHECK(mode_of(d.temp / "a") == 0604);
  d.roll_back(4);
  CHECK(d.tree() == std::map<std::string, std::string>{{"a", "two"}});
  CHECK(d.area().empty());
}

TEST_CASE("rollback: a directory that became a file comes back whole", "[sync]") {
  Destination d;
  REQUIRE(fs::create_directories(d.temp / "d/deep"));
  REQUIRE(::chmod((d.temp / "d/deep").c_str(), 0711) == 0);
  d.temp.write("d/deep/x", "x", 0644);
  REQUIRE(::link((d.temp / "d/deep/x").c_str(), (d.temp / "d/y").c_str()) == 0);
  REQUIRE(::symlink("deep/x", (d.temp / "d/l").c_str()) == 0);
  const auto before = d.tree();
  {
    Staging staging = d.stage();
    d.run(staging, {D::bare(ActionKind::Displace, "d"), D::install(staging, "d", "file")});
  }
  CHECK(d.tree() == std::map<std::string, std::string>{{"d", "file"}});
  d.roll_back(1);
  CHECK(d.tree() == before);
  CHECK(mode_of(d.temp / "d/deep") == 0711);
  CHECK(stat_of(d.temp / "d/y").st_ino == stat_of(d.temp / "d/deep/x").st_ino);
}

TEST_CASE("rollback: what is kept is private, bounded in number, and the oldest goes first",
          "[sync]") {
  Destination d;
  for (int i = 0; i < 6; ++i) d.put("a", std::to_string(i));
  std::vector<std::uint64_t> numbers;
  for (const Generation& one : list_generations(d.disk)) numbers.push_back(one.number);
  CHECK(numbers == std::vector<std::uint64_t>{4, 5, 6});
  CHECK(mode_of(d.temp / ".xroad-sync/previous") == 0700);
  CHECK(mode_of(d.temp / ".xroad-sync/previous/6") == 0700);
  CHECK_FALSE(fs::exists(d.temp / ".xroad-sync/previous/3"));
  try {
    d.roll_back(3);
    FAIL("rolled back");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::Usage);
    CHECK(error.text().find("4 5 6") != std::string::npos);
  }
  d.roll_back(4);
  CHECK(d.temp.read("a") == "2");
}

TEST_CASE("rollback: what is kept is bounded in bytes, and no way leads through a gap", "[sync]") {
  Destination d;
  const KeepPolicy small{3, 100};
  d.put("a", std::string(60, '1'), small);
  d.put("a", std::string(60, '2'), small);
  d.put("a", std::string(200, '3'), small);
  CHECK(list_generations(d.disk).size() == 1);
  const auto result = d.put("a", "4", small);
  CHECK(result.generation == 0);
  CHECK(result.problems.empty());
  REQUIRE(result.notes.size() == 1);
  CHECK(result.notes[0].find("200 bytes") != std::string::npos);
  CHECK(list_generations(d.disk).empty());
  CHECK(d.put("a", "5", small).generation != 0);
}

TEST_CASE("rollback: what is kept does not change with the tree", "[sync]") {
  Destination d;
  d.put("a", "one");
  d.put("a", "two");
  d.roll_back(2);
  d.temp.write("a", "scribbled over");  // in place
  d.roll_back(2);
  CHECK(d.temp.read("a") == "one");
}

}  // namespace xs
