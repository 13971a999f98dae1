// SPDX-License-Identifier: MIT
#include "sync/report/run_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

#include "tests/report/parse_log.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

namespace xs {
namespace {

using test::TempDir;

std::time_t fixed() { return 1489146121; }  // 2017-03-10 11:42:01 UTC

ChangeDetail item(EntryType type, const std::string& path, bool created, bool time = false) {
  ChangeDetail detail;
  detail.change.path = path;
  detail.change.type = type;
  detail.change.created = created;
  detail.change.content = time && type == EntryType::File;
  detail.change.time = time;
  return detail;
}

ChangeDetail gone(EntryType type, const std::string& path) {
  ChangeDetail detail = item(type, path, false);
  detail.change.deleted = true;
  return detail;
}

RunLog log_to(const std::string& path) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  return RunLog(path, ItemFormat(ItemFormat::kItemized), fixed);
}

// The sample of the guide, chapter 6.1; its numbers have commas from an rsync before 3.1.1.
TEST_CASE("run log: the guide's sample comes out byte for byte", "[report]") {
  RunReport report;
  report.details = {item(EntryType::Dir, "signer", false, true),
                    item(EntryType::File, "signer/keyconf.xml", false, true),
                    item(EntryType::File, "signer/sync.testfile", true)};
  report.stats.sent = 264;
  report.stats.received = 1886;
  report.stats.total_size = 65346;
  const std::string pid = std::to_string(::getpid());
  const std::string stamp = "2017/03/10 11:42:01 [" + pid + "] ";
  CHECK(log_to("unused").text(report) ==
        stamp + "receiving file list\n" + stamp + ".d..t...... signer/\n" + stamp +
            ">f..t...... signer/keyconf.xml\n" + stamp + ">f+++++++++ signer/sync.testfile\n" +
            stamp + "sent 264 bytes  received 1886 bytes  total size 65346\n");
}

TEST_CASE("run log: a run that changed nothing has its first and last line", "[report]") {
  const auto runs = test::parse_log(log_to("unused").text({}));
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].items.empty());
  CHECK(runs[0].others.empty());
  CHECK(runs[0].total_size == 0U);
}

TEST_CASE("run log: items come files first, deletions directory by directory at the end",
          "[report]") {
  RunReport report;
  report.details = {item(EntryType::Dir, "a", true),  item(EntryType::File, "a/x", true),
                    item(EntryType::File, "b", true), gone(EntryType::Dir, "c"),
                    gone(EntryType::File, "c/1"),     gone(EntryType::File, "d"),
                    gone(EntryType::File, "z/old"),   item(EntryType::File, "f", true),
                    gone(EntryType::Dir, "f/dir"),    gone(EntryType::File, "f/dir/in")};
  const auto names = [&](DeletionsTold told) {
    report.deletions = told;
    std::string all;
    const auto runs = test::parse_log(log_to("unused").text(report));
    for (const test::LoggedItem& one : runs.at(0).items) {
      all += one.name + " ";
    }
    return all;
  };
  CHECK(names(DeletionsTold::Last) == "b f/dir/in f/dir/ f a/ a/x c/1 c/ d z/old ");
  CHECK(names(DeletionsTold::First) == "c/1 c/ d z/old b f/dir/in f/dir/ f a/ a/x ");
}

TEST_CASE("run log: a failure is one line with its cause and code, whatever the text", "[report]") {
  const std::string text = log_to("unused").failure_text(
      Error(Fault::Partial, "signer/key 'a\\#012b': Permission denied\n2026/01/01 forged", 13));
  const auto runs = test::parse_log(text);
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].failed == 23);
  CHECK(
      text.find("xroad-sync error: signer/key 'a\\#012b': Permission denied\\#0122026/01/01 forged "
                "(code 23)\n") != std::string::npos);
  CHECK(failure_line(Error(Fault::Locked, "busy"), "xroad-sync") ==
        "xroad-sync error: busy (code 40)");
}

TEST_CASE("run log: what was left alone, what stayed and what to know is told", "[report]") {
  RunReport report;
  report.problems = {{"signer/a\nb", "Permission denied\x1b"}};
  report.stayed = {{"old", "it holds 'x'"}};
  report.notices = {"the PIN changed"};
  const auto runs = test::parse_log(log_to("unused").text(report));
  CHECK(runs.at(0).others ==
        std::vector<std::string>{"left alone: 'signer/a\\#012b': Permission denied\\#033",
                                 "cannot delete non-empty directory: old", "the PIN changed"});
}

TEST_CASE("run log: with -v the totals are rsync's two lines", "[report]") {
  RunReport report;
  report.stats.sent = 65;
  report.stats.received = 378;
  report.stats.total_size = 200021;
  const std::string text = log_to("unused").text(report, true);
  CHECK(text.find("] sent 65 bytes  received 378 bytes  886.00 bytes/sec\n") != std::string::npos);
  CHECK(text.find("] total size is 200,021  speedup is 451.51\n") != std::string::npos);
  CHECK(test::parse_log(text).at(0).others.size() == 2);
}

TEST_CASE("run log: runs are appended, to a new file after a rotation", "[report]") {
  const TempDir dir;
  const RunLog log = log_to(dir / "log");
  log.write(log.text({}));
  log.write(log.failure_text(Error(Fault::Stream, "gone")));
  CHECK(test::parse_log(dir.read("log")).size() == 1);
  REQUIRE(::rename((dir / "log").c_str(), (dir / "log.1").c_str()) == 0);
  log.write(log.text({}));
  CHECK(test::parse_log(dir.read("log")).size() == 1);
  struct stat st {};
  REQUIRE(::stat((dir / "log").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777U & ~0640U) == 0);
}

TEST_CASE("run log: a symbolic link or a full disk is an error that says so", "[report]") {
  const TempDir dir;
  REQUIRE(::symlink("target", (dir / "link").c_str()) == 0);
  const auto refused = test::thrown_by([&] { log_to(dir / "link").write("x"); });
  REQUIRE(refused);
  CHECK(refused->fault() == Fault::Io);
  CHECK(refused->text().find("symbolic link") != std::string::npos);
}

TEST_CASE("run log: stdout has items, the block of --stats and the totals of -v", "[report]") {
  RunReport report;
  report.details = {item(EntryType::File, "f", true), item(EntryType::File, "p", false)};
  report.details[1].change.mode = true;
  report.stats.dry_run = true;
  const ItemFormat plain(ItemFormat::kPlain);
  const ItemFormat itemized(ItemFormat::kItemized);
  CHECK(output_of(report, {}) == "");
  CHECK(output_of(report, {false, false, Human::Grouped, &itemized}) ==
        ">f+++++++++ f\n.f...p..... p\n");
  const std::string verbose = output_of(report, {true, false, Human::Grouped, &plain});
  CHECK(verbose.rfind("receiving file list ... done\nf\n\nsent 0 bytes", 0) == 0);
  CHECK(verbose.find("speedup is 0.00 (DRY RUN)\n") != std::string::npos);
  const std::string both = output_of(report, {false, true, Human::Grouped, nullptr});
  CHECK(both.rfind("\nNumber of files: 0\n", 0) == 0);
  CHECK(both.find("\n\nsent 0 bytes") != std::string::npos);
}

TEST_CASE("run log: the reader takes the guide's own sample", "[report]") {
  const auto runs = test::parse_log(
      "2017/03/10 11:42:01 [10505] receiving file list\n"
      "2017/03/10 11:42:01 [10507] .d..t...... signer/\n"
      "2017/03/10 11:42:01 [10507] >f..t...... signer/keyconf.xml\n"
      "2017/03/10 11:42:01 [10507] >f+++++++++ signer/sync.testfile\n"
      "2017/03/10 11:42:01 [10505] sent 264 bytes  received 1,886 bytes  total size 65,346\n");
  REQUIRE(runs.size() == 1);
  REQUIRE(runs[0].items.size() == 3);
  CHECK(runs[0].items[2].name == "signer/sync.testfile");
  CHECK(runs[0].received == 1886U);
}

}  // namespace
}  // namespace xs
