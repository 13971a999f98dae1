// SPDX-License-Identifier: MIT
// Staging, journal, commit, recovery and rollback on a disk that forgets what was not synced, with
// a crash before every change, again during recovery, and again during that one's recovery.
// XS_MODEL_STATES is the number of crash states to aim for (the short form by default);
// XS_MODEL_SEED repeats a run.
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>

#include "sync/recovery.h"
#include "sync/rollback.h"
#include "tests/crash/model_explorer.h"
#include "tests/support/catch.h"
#include "tests/support/setting.h"

namespace xs::test {
namespace {

constexpr std::uint64_t kShortStates = 4'400'000;  // the aim; small workloads have fewer

// What is aimed for, divided among the tests.
std::uint64_t eighths(std::uint64_t part) {
  return setting("XS_MODEL_STATES", kShortStates) * part / 8;
}
std::uint64_t seed() {
  static const std::uint64_t value = setting("XS_MODEL_SEED", random_seed());
  return value;
}

struct Workload {
  std::string name;
  World world;
};

Program commit_of(const Workload& workload) {
  return [&workload](ModelDisk& disk, const Wake& wake, const Committed& committed) {
    workload.world.run(disk, 17, wake, committed);
  };
}

// What a test does with one workload; whatever goes wrong names it and the seed.
void guarded(const Workload& workload, const std::function<void()>& test) {
  try {
    test();
  } catch (const std::exception& error) {
    FAIL("seed " << seed() << ", workload [" << workload.name << "]: " << error.what());
  }
}

// All sets of up to `most` of the edits.
std::vector<Workload> workloads_up_to(std::size_t most) {
  std::vector<Workload> made;
  const auto& edits = all_edits();
  std::vector<std::size_t> chosen;
  const std::function<void(std::size_t)> choose = [&](std::size_t from) {
    Tree after = base_tree();
    std::string name;
    for (const std::size_t i : chosen) {
      edits[i].change(after);
      name += (name.empty() ? "" : " + ") + edits[i].name;
    }
    World world(base_tree(), after, made.size() % 3 == 0 ? "" : "wake up");
    if (world.changes()) made.push_back({name, std::move(world)});
    for (std::size_t i = from; i < edits.size() && chosen.size() < most; ++i) {
      chosen.push_back(i);
      choose(i + 1);
      chosen.pop_back();
    }
  };
  choose(0);
  return made;
}

std::vector<Workload> random_workloads(Random& random, std::size_t count) {
  std::vector<Workload> made;
  while (made.size() < count) {
    const bool mount = random() % 3 == 0;
    const Tree before = random_tree(random, 12, mount);
    World world(before, random_successor(before, random, mount), random() % 2 == 0 ? "" : "wake",
                mount);
    if (world.changes()) made.push_back({"random " + std::to_string(made.size()), world});
  }
  return made;
}

// Faults make the engine warn thousands of times.
class Silence {
 public:
  Silence() : level_(spdlog::get_level()) { spdlog::set_level(spdlog::level::off); }
  ~Silence() { spdlog::set_level(level_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  spdlog::level::level_enum level_;
};

class Report {
 public:
  explicit Report(const char* what) : what_(what) {}
  ~Report() {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
    std::printf(
        "model, %s: %llu states (%llu after a crash in recovery), %llu kills, %llu faults, "
        "%llu workloads, %.1f s, %.0f states/s, seed %llu\n",
        what_, ull(totals.states), ull(totals.nested), ull(totals.killed), ull(totals.faults),
        ull(totals.workloads), took.count(), static_cast<double>(totals.states) / took.count(),
        ull(seed()));
  }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  Totals totals;

 private:
  static unsigned long long ull(std::uint64_t value) { return value; }

  const char* what_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

void explore(const Workload& workload, Random& random, Totals& totals, std::uint64_t budget) {
  guarded(workload, [&] {
    ++totals.workloads;
    Explorer(workload.world, random, totals)
        .run(workload.world.disk(), commit_of(workload), budget);
  });
}

}  // namespace

TEST_CASE("model: up to three operations, cut anywhere, leave the old tree or the new one",
          "[sync][model]") {
  Random random(seed());
  Report report("up to 3 operations");
  const auto workloads = workloads_up_to(3);
  const std::uint64_t budget = eighths(5) / workloads.size() + 1;
  for (const Workload& workload : workloads) explore(workload, random, report.totals, budget);
  CHECK(report.totals.states > workloads.size());
}

TEST_CASE("model: large commits, over mount points too, leave the old tree or the new one",
          "[sync][model]") {
  Random random(seed());
  Report report("large and mounted");
  constexpr std::uint64_t kEach = 2000;
  const auto workloads = random_workloads(random, eighths(1) / 2 / kEach + 1);
  const std::uint64_t budget = kEach;
  for (const Workload& workload : workloads) explore(workload, random, report.totals, budget);
  CHECK(report.totals.states > workloads.size());
}

TEST_CASE("model: a rollback, cut anywhere, leaves the newer tree or the older one",
          "[sync][model]") {
  Random random(seed());
  Report report("rollback");
  auto workloads = workloads_up_to(3);
  for (Workload& one : random_workloads(random, 40)) workloads.push_back(std::move(one));
  const std::uint64_t budget = eighths(2) / workloads.size() + 1;
  for (const Workload& workload : workloads) {
    guarded(workload, [&] {
      ++report.totals.workloads;
      ModelDisk disk = workload.world.disk();
      const Wake nobody = [](std::string_view) {};
      workload.world.run(disk, 17, nobody, {});
      const World back = workload.world.reversed();
      const Program program = [&](ModelDisk& on, const Wake& wake, const Committed& committed) {
        RollbackRequest request;
        request.number = 1;
        request.id = 18;
        request.index_files = {kIndexFile};
        request.wake = [&back](const std::vector<Step>&) { return back.wake(); };
        request.on_wake = wake;
        request.committed = committed;
        rollback(on, SteadyClock(), request);
      };
      Explorer(back, random, report.totals).run(disk, program, budget);
    });
  }
}

TEST_CASE("model: a call that fails leaves the old tree, or a commit that the next run completes",
          "[sync][model]") {
  Random random(seed());
  Report report("faults");
  const Silence silence;
  auto workloads = workloads_up_to(1);
  for (Workload& one : random_workloads(random, 4)) workloads.push_back(std::move(one));
  for (const Workload& workload : workloads) {
    guarded(workload, [&] {
      ++report.totals.workloads;
      Explorer explorer(workload.world, random, report.totals);
      const ModelDisk disk = workload.world.disk();
      for (const int code : {EIO, ENOSPC, EDQUOT, EROFS, EACCES, EPERM, EMFILE, ENOMEM}) {
        for (const bool persistent : {false, true}) {
          InjectedFault fault{0, code, persistent};
          while (explorer.run_with_fault(disk, commit_of(workload), fault)) ++fault.at;
        }
      }
    });
  }
}

// A disk that lies about one byte of a journal must not make us touch anything.
TEST_CASE("model: a damaged journal is refused, and nothing is touched", "[sync][model]") {
  Tree after = base_tree();
  for (const auto& edit : all_edits()) {
    if (edit.name == "replace a" || edit.name == "delete b") edit.change(after);
  }
  const World world(base_tree(), after, "wake");
  const Silence silence;
  ModelDisk disk = world.disk();
  // The wake fails, so the journal stays; that the tree is new by then makes every later touch one
  // too many.
  CHECK_THROWS_AS(
      world.run(disk, 17, [](std::string_view) { throw Error(Fault::Action, "no"); }, {}), Error);
  const std::string path = ".xroad-sync/journal";
  const std::string good = disk.bytes_of(path);
  const std::uint64_t before = disk.fingerprint();
  for (std::size_t at = 0; at < good.size() * 2; ++at) {
    std::string bad = good;
    if (at < good.size()) {
      bad[at] = static_cast<char>(bad[at] ^ (1 << at % 8));
    } else {
      bad.resize(at - good.size());
    }
    ModelDisk rotten = disk;
    rotten.rot(path, bad);
    const std::uint64_t left = rotten.fingerprint();
    INFO("byte " << at);
    try {
      recover(rotten, SteadyClock(), {});
      FAIL("a damaged journal was believed");
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::Io);
      CHECK(error.text().find("nothing was touched") != std::string::npos);
    }
    CHECK(rotten.fingerprint() == left);
  }
  recover(disk, SteadyClock(), {});
  CHECK(world.holds(disk) == Holds::New);
  CHECK(disk.fingerprint() != before);
}

}  // namespace xs::test
