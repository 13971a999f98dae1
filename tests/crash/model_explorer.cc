// SPDX-License-Identifier: MIT
#include "tests/crash/model_explorer.h"

#include <algorithm>

#include "base/text.h"
#include "sync/recovery.h"
#include "sync/rollback.h"

namespace xs::test {
namespace {

constexpr std::size_t kAllSubsets = 6;     // up to so many unsynced edits; beyond, a sample
constexpr int kFruitless = 24;             // samples in a row that show nothing new end a point
constexpr std::uint64_t kNestedOneIn = 3;  // so many recoveries are crashed themselves
constexpr std::uint64_t kRollbackOneIn = 16;
constexpr std::uint64_t kKillOneIn = 4;
constexpr std::uint64_t kNever = ~std::uint64_t{0};

void check(const std::string& promise, const std::string& wrong) {
  if (!wrong.empty()) throw Violation(promise, wrong);
}

}  // namespace

void Explorer::run(const ModelDisk& start, const Program& program, std::uint64_t budget) {
  budget_ = budget;
  std::uint64_t points = 0;
  ModelDisk rehearsal = start;
  rehearsal.before_change = [&](ModelDisk&) { ++points; };
  program(
      rehearsal, [](std::string_view) {}, [] {});
  points_ = points + 1;

  ModelDisk disk = start;
  History history;
  disk.before_change = [&](ModelDisk& now) {
    watch(now);
    check("order", world_.out_of_order(now));
    crash_here(now, history);
  };
  program(disk, waker(disk, history), [&] { history.acknowledged = true; });
  history.acknowledged = true;
  crash_here(disk, history);
  disk.before_change = {};
  judge(disk, history);
}

Wake Explorer::waker(ModelDisk& disk, History& history) const {
  return [this, &disk, &history](std::string_view bytes) {
    if (bytes != world_.wake()) throw Violation("wake", "called with other bytes");
    check("wake after the change", world_.difference(disk, world_.after()));
    ++history.wakes;
  };
}

void Explorer::watch(const ModelDisk& now) const {
  check("always there", world_.missing_or_torn(now));
}

// ---- crashes

void Explorer::crash_here(const ModelDisk& now, const History& history) {
  ++passed_;
  // What earlier points did not need is for the later ones.
  const std::uint64_t due = budget_ * passed_ / points_;
  if (due > spent_) crash_everyhow(now, history, due - spent_);
  if (random_() % kKillOneIn != 0) return;
  ++totals_.killed;
  ModelDisk left = now;
  left.before_change = {};
  recover_and_judge(std::move(left), history, 1);
}

void Explorer::crash_everyhow(const ModelDisk& now, const History& history, std::uint64_t allowed) {
  // Bytes: old, new, each at random, and again.
  const std::vector<int> bodies =
      now.has_dirty() ? std::vector<int>{0, 1, 2, 2} : std::vector<int>{1};
  auto wished = subsets(now.pending());
  if (wished.size() * bodies.size() > allowed) std::shuffle(wished.begin(), wished.end(), random_);
  for (const auto& one : wished) {
    for (const int body : bodies) {
      if (allowed == 0) return;
      if (look_at(now.crash(one, body, random_), history, 1)) --allowed;
    }
  }
  for (int fruitless = 0; allowed > 0 && fruitless < kFruitless; ++fruitless) {
    if (!look_at(now.crash(random_subset(now.pending()), 2, random_), history, 1)) continue;
    --allowed;
    fruitless = 0;
  }
}

std::vector<std::vector<bool>> Explorer::subsets(std::size_t edits) {
  std::vector<std::vector<bool>> made;
  if (edits <= kAllSubsets) {
    for (std::size_t mask = 0; mask < std::size_t{1} << edits; ++mask) {
      made.emplace_back(edits);
      for (std::size_t i = 0; i < edits; ++i) made.back()[i] = (mask >> i & 1) != 0;
    }
    return made;
  }
  for (std::size_t i = 0; i <= edits; ++i) {
    made.emplace_back(edits, true);  // all but one, and at the end all
    if (i < edits) made.back()[i] = false;
    made.push_back(made.back());
    made.back().flip();  // one, and at the end none
  }
  return made;
}

std::vector<bool> Explorer::random_subset(std::size_t edits) {
  std::vector<bool> wished(edits);
  const std::uint64_t density = 1 + random_() % 7;
  for (std::size_t i = 0; i < edits; ++i) wished[i] = random_() % 8 < density;
  return wished;
}

// False: this state has been looked at.
bool Explorer::look_at(ModelDisk after, const History& history, int depth) {
  const std::uint64_t flags =
      (history.acknowledged ? 1U : 0U) | (history.wakes > 0 ? 2U : 0U) | (depth > 1 ? 4U : 0U);
  if (!seen_.insert(after.fingerprint() * 8 + flags).second) return false;
  ++totals_.states;
  ++spent_;
  if (depth > 1) ++totals_.nested;
  check("always there, after a crash too", world_.missing_or_torn(after));
  recover_and_judge(std::move(after), history, depth);
  return true;
}

void Explorer::crash_again(const ModelDisk& now, const History& history, int depth) {
  for (int i = 0; i < 2; ++i) {
    look_at(now.crash(random_subset(now.pending()), 2, random_), history, depth + 1);
  }
}

// ---- recovery

void Explorer::recover_and_judge(ModelDisk disk, History history, int depth) {
  const bool crashes = depth < kDeepest && random_() % kNestedOneIn == 0;
  const std::uint64_t crash_at = crashes ? random_() % 40 : kNever;
  std::uint64_t point = 0;
  disk.before_change = [&](ModelDisk& now) {
    watch(now);
    if (point++ == crash_at) crash_again(now, history, depth);
  };
  RecoveryRules rules;
  rules.on_wake = waker(disk, history);
  rules.committed = [&] { history.acknowledged = true; };
  try {
    recover(disk, SteadyClock(), rules);
  } catch (const Error& error) {
    throw Violation("recovery always works", error.text());
  }
  disk.before_change = {};
  judge(disk, history);
  if (totals_.states % kRollbackOneIn == 0) judge_rollback(std::move(disk));
}

void Explorer::judge(const ModelDisk& disk, const History& history) const {
  const Holds holds = world_.holds(disk);
  if (holds == Holds::Neither) {
    throw Violation("old or new", "not old: " + world_.difference(disk, world_.before()) +
                                      "; not new: " + world_.difference(disk, world_.after()));
  }
  if (history.acknowledged && holds != Holds::New) {
    throw Violation("acknowledged is kept", "the old tree is back");
  }
  if (holds == Holds::New && !world_.wake().empty() && history.wakes == 0) {
    throw Violation("wake", "the tree is new and nobody was woken");
  }
  if (history.wakes != 0 && (holds == Holds::Old || world_.wake().empty())) {
    throw Violation("wake", "somebody was woken for nothing");
  }
  check("excluded is untouched", world_.untouched(disk));
  check("nothing is left behind", World::leftovers(disk));
}

void Explorer::judge_rollback(ModelDisk disk) const {
  if (world_.holds(disk) != Holds::New) return;
  RollbackRequest request;
  request.id = 99;
  request.index_files = {kIndexFile};
  try {
    const auto kept = list_generations(disk);
    if (kept.empty() && may_keep_nothing_) return;
    if (kept.empty()) throw Violation("rollback", "no generation was kept");
    request.number = kept.back().number;
    rollback(disk, SteadyClock(), request);
  } catch (const Error& error) {
    throw Violation("rollback", error.text());
  }
  check("rollback", world_.difference_but_links(disk, world_.before()));
}

// ---- faults

bool Explorer::run_with_fault(ModelDisk disk, const Program& program, const InjectedFault& fault) {
  History history;
  may_keep_nothing_ = true;
  disk.fault = fault;
  disk.calls = 0;
  bool failed = false;
  disk.before_change = [&](ModelDisk& now) { watch(now); };
  try {
    program(disk, waker(disk, history), [&] { history.acknowledged = true; });
    history.acknowledged = true;
  } catch (const Error& error) {
    failed = true;
    const bool explains =
        error.code() == fault.code || error.text().find("run again") != std::string::npos;
    if (!explains) throw Violation("an error names its cause", error.text());
  }
  const bool hit = disk.calls > fault.at;
  disk.fault = {};
  disk.before_change = {};
  ++totals_.faults;
  if (failed) judge_failure(disk, history, fault.persistent);
  for (int i = 0; i < 3; ++i) {
    look_at(disk.crash(random_subset(disk.pending()), i, random_), history, 1);
  }
  recover_and_judge(std::move(disk), history, 1);
  return hit;
}

// Before the journal is there, the tree is the old one, and nothing is left behind where the disk
// let us clean up.
void Explorer::judge_failure(const ModelDisk& disk, const History& history, bool lasting) const {
  ModelDisk look = disk;
  const bool journal = look.stat(".xroad-sync/journal").has_value();
  if (journal || history.wakes > 0 || history.acknowledged) return;
  if (world_.holds(disk) == Holds::New) return;  // the end of the journal was all that failed
  check("a failed run leaves the old tree", world_.difference(disk, world_.before()));
  if (!lasting) check("a failed run leaves nothing behind", World::leftovers(disk));
}

}  // namespace xs::test
