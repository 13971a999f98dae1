// SPDX-License-Identifier: MIT
// Explorer: every crash of one program on a model disk. Before each change it looks at what a crash
// there could leave, lets recovery run from it (with more crashes in it), and has the oracle judge.
// A promise that is broken is a Violation that names the promise.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

#include "sync/apply.h"
#include "tests/crash/model_world.h"

namespace xs::test {

struct History {  // what happened before a crash
  bool acknowledged = false;
  std::uint64_t wakes = 0;
};

struct Totals {
  std::uint64_t states = 0;  // contents of the platter after a crash, counted once a workload
  std::uint64_t nested = 0;  // of those, after a crash in recovery
  std::uint64_t killed = 0;  // besides: the process ended, the machine did not
  std::uint64_t workloads = 0;
  std::uint64_t faults = 0;
};

class Violation : public std::runtime_error {
 public:
  Violation(const std::string& promise, const std::string& what)
      : std::runtime_error("promise '" + promise + "' broken: " + what) {}
};

using Committed = std::function<void()>;
using Program = std::function<void(ModelDisk&, const Wake&, const Committed&)>;

class Explorer {
 public:
  static constexpr int kDeepest = 3;  // crashes in a row

  Explorer(const World& world, Random& random, Totals& totals)
      : world_(world), random_(random), totals_(totals) {}

  // The program, watched at every change, with about `budget` crashes spread over all of them.
  void run(const ModelDisk& start, const Program& program, std::uint64_t budget);
  // The program on a disk where one call (or all from it on) fails; then a crash or none, and the
  // next run. False: the program made fewer calls.
  bool run_with_fault(ModelDisk disk, const Program& program, const InjectedFault& fault);

 private:
  Wake waker(ModelDisk& disk, History& history) const;
  void watch(const ModelDisk& now) const;
  void crash_here(const ModelDisk& now, const History& history);
  void crash_everyhow(const ModelDisk& now, const History& history, std::uint64_t allowed);
  std::vector<std::vector<bool>> subsets(std::size_t edits);
  std::vector<bool> random_subset(std::size_t edits);
  bool look_at(ModelDisk after, const History& history, int depth);
  void crash_again(const ModelDisk& now, const History& history, int depth);
  void recover_and_judge(ModelDisk disk, History history, int depth);
  void judge(const ModelDisk& disk, const History& history) const;
  void judge_rollback(ModelDisk disk) const;
  void judge_failure(const ModelDisk& disk, const History& history, bool lasting) const;

  const World& world_;
  Random& random_;
  Totals& totals_;
  std::unordered_set<std::uint64_t> seen_;
  std::uint64_t points_ = 1;
  std::uint64_t passed_ = 0;
  std::uint64_t budget_ = 0;
  std::uint64_t spent_ = 0;
  bool may_keep_nothing_ = false;  // a fault can cost the kept generation, and nothing else
};

}  // namespace xs::test
