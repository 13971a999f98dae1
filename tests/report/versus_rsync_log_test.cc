// SPDX-License-Identifier: MIT
// Our lines against the real rsync's: random trees, pulled by both, read by one parser of rsync's
// log. Everything that both tell must be told with the same letters and in the same order.
//
// Where we differ by design (each is taken out below, and nothing else):
//  - Times of anything but files, and a time-only difference of a file, are no changes
//    here (design.md 4); so `.d..t......` is rsync's alone, and 't' of a directory that changes
//    otherwise.
//  - Times are compared to the nanosecond here, and in whole seconds there: a 't' may be ours
//  alone.
//  - With -c rsync marks every file that it takes over anew with 'c', ours those whose contents
//    differ; here both run with -c.
//  - rsync hides names and attributes of bytes 0x80 to 0x9f in UTF-8 (it escapes the bytes); ours
//    stay readable. Both are compared unescaped.
//  - The pid is one here; rsync's items are its child's, its deletions the generator's, and the two
//    write side by side: where a deletion that makes room stands among the items is chance there.
//    The order of the items and that of the deletions is compared, each by itself.
#include <algorithm>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "base/text.h"
#include "sync/receiver.h"
#include "sync/report/run_log.h"
#include "sync/sender.h"
#include "tests/report/parse_log.h"
#include "tests/support/catch.h"
#include "tests/support/converse.h"
#include "tests/support/disk_trees.h"
#include "tests/support/rsync.h"
#include "tests/support/setting.h"
#include "tests/support/temp_dir.h"

using namespace xs;
using test::LoggedItem;
using test::LoggedRun;
using test::rsync_is_here;
using test::setting;
using test::TempDir;
using test::TempTree;
using test::Variant;

namespace {

// A pull by rsync, over a remote shell that is none.
LoggedRun rsync_log(const TempTree& source, const TempTree& destination, std::string& printed,
                    bool dry = false) {
  const TempDir dir;
  const std::string shell = dir.write(
      "shell", "#!/bin/sh\nwhile [ \"$1\" != rsync ]; do shift; done\nexec \"$@\"\n", 0700);
  std::vector<std::string> options = {"-a",
                                      "--delete-delay",
                                      "--checksum",
                                      "-i",
                                      "--stats",
                                      "--delay-updates",
                                      "--no-inc-recursive",
                                      "--log-file=" + dir.path() + "/log",
                                      "-e",
                                      shell};
  if (dry) options.emplace_back("-n");
  const test::Outcome outcome = test::rsync(options, "host:" + source.path(), destination.path());
  INFO(outcome.out);
  REQUIRE(outcome.end == test::kCleanEnd);
  printed = outcome.out;
  const auto runs = test::parse_log(dir.read("log"));
  REQUIRE(runs.size() == 1);
  return runs[0];
}

struct Ours {
  RunReport report;
  Entries target;
};

Ours pull(const TempTree& source, const TempTree& destination, bool dry = false) {
  SenderConfig config;
  config.root = source.path();
  config.version = "test";
  Ours ours;
  PullRequest request;
  request.destination = destination.path();
  request.root = source.path();
  request.options.keep = {Keep::Permissions, Keep::Times,    Keep::Owner,  Keep::Group,
                          Keep::Symlinks,    Keep::Specials, Keep::Devices};
  request.options.scan = {Scan::Recursive};
  request.options.inline_limit = 4096;
  request.choose_compare = false;
  request.allow_empty = true;
  request.keep.count = 0;
  request.run_id = 1;
  request.preview = dry;
  request.approve = [&](const Plan& plan, const Entries& local, const Entries& target,
                        const std::vector<Problem>&) {
    ours.report.details = details_of(plan.changes, local, target);
    ours.target = target;
  };
  SteadyClock clock;
  PullResult result;
  test::converse([&](Channel& channel) { result = Receiver(request, clock).run(channel); },
                 [&](Channel& channel) { serve(channel, config, clock); });
  CHECK(result.problems.empty());
  CHECK(ours.report.details.size() == result.changes.size());
  ours.report.stats = count_run(ours.target, ours.report.details);
  ours.report.stats.dry_run = dry;
  return ours;
}

LoggedRun our_log(const RunReport& report) {
  const TempDir dir;
  const RunLog log(dir.path() + "/log", ItemFormat(ItemFormat::kItemized, {true, true}));
  log.write(log.text(report));
  const auto runs = test::parse_log(dir.read("log"));
  REQUIRE(runs.size() == 1);
  return runs[0];
}

// Without what differs by design.
std::vector<LoggedItem> comparable(const std::vector<LoggedItem>& items, bool deleted) {
  std::vector<LoggedItem> kept;
  for (LoggedItem item : items) {
    if (item.deleted() != deleted) continue;
    const bool attributes = item.itemize[0] == '.';
    if (attributes && item.itemize[1] != 'f') item.itemize[4] = '.';
    if (attributes && item.itemize == ".f..t......") continue;
    if (item.itemize.find_first_not_of('.', 2) == std::string::npos) continue;
    kept.push_back(std::move(item));
  }
  return kept;
}

// rsync compares whole seconds.
void forget_fractions(std::vector<LoggedItem>& ours, const std::vector<LoggedItem>& theirs) {
  for (LoggedItem& item : ours) {
    const auto same = std::find_if(theirs.begin(), theirs.end(),
                                   [&](const LoggedItem& one) { return one.name == item.name; });
    if (same != theirs.end() && item.itemize[4] == 't' && same->itemize[4] == '.') {
      item.itemize[4] = '.';
    }
  }
}

std::string show(const std::vector<LoggedItem>& items) {
  std::string all;
  for (const LoggedItem& item : items) {
    all += item.itemize + " " + escape(item.name) + escape(item.link) + "\n";
  }
  return all;
}

std::vector<std::string> counted(const std::string& printed) {
  std::vector<std::string> lines;
  std::istringstream in(printed);
  for (std::string line; std::getline(in, line);) {
    for (const char* const name : {"Number of files:", "Number of created", "Number of deleted",
                                   "Number of regular", "Total file size", "Total transferred"}) {
      if (line.rfind(name, 0) == 0) lines.push_back(line);
    }
  }
  return lines;
}

struct Pair {
  TempTree source, theirs, ours;
  Pair(const test::DiskTree& source_tree, const test::DiskTree& before) {
    make(source, source_tree);
    make(theirs, before);
    make(ours, before);
  }
};

}  // namespace

TEST_CASE("versus rsync: the log of a pull has rsync's items in rsync's order", "[report]") {
  if (!rsync_is_here()) return;
  const std::uint64_t first_seed = test::random_seed();
  const std::uint64_t rounds = setting("XS_ROUNDS", 40);
  std::size_t compared = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::mt19937_64 random(first_seed + round);
    INFO("XS_SEED=" << first_seed + round << " XS_ROUNDS=1");
    const test::DiskTree source = test::random_tree(random, {});
    const test::DiskTree before = test::earlier(random, {}, source);
    const Pair trees(source, before);
    std::string printed;
    const LoggedRun theirs = rsync_log(trees.source, trees.theirs, printed);
    const Ours pulled = pull(trees.source, trees.ours);
    LoggedRun ours = our_log(pulled.report);
    forget_fractions(ours.items, theirs.items);
    for (const bool deleted : {false, true}) {
      CHECK(show(comparable(ours.items, deleted)) == show(comparable(theirs.items, deleted)));
    }
    compared += ours.items.size();
    if (!ours.items.empty()) {
      CHECK(counted(stats_block(pulled.report.stats, Human::Grouped)) == counted(printed));
    }
  }
  CHECK(compared > rounds);
}

TEST_CASE("versus rsync: a trial run has the lines of the real one", "[report]") {
  if (!rsync_is_here()) return;
  const unsigned seed = test::random_seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const test::DiskTree source = test::random_tree(random, {});
  const Pair trees(source, test::earlier(random, {}, source));
  const LoggedRun trial = our_log(pull(trees.source, trees.ours, true).report);
  const LoggedRun real = our_log(pull(trees.source, trees.ours).report);
  CHECK(show(trial.items) == show(real.items));
}
