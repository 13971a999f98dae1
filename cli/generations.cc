// SPDX-License-Identifier: MIT
// `xroad-sync generations` and `rollback`: what is kept of the states before, and the way back.
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <ctime>

#include "base/error.h"
#include "base/text.h"
#include "cli/interrupt.h"
#include "cli/reporter.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "sync/lock.h"
#include "sync/real_disk.h"
#include "sync/recovery.h"
#include "sync/rollback.h"
#include "sync/xroad/preset.h"

namespace xs::cli {
namespace {

std::string show_moment(std::int64_t ns) {
  const auto seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

// The objects that a rollback would put back, or take away.
std::size_t count_paths(const Generation& generation) { return generation.states.size(); }

std::uint64_t chosen(const std::vector<Generation>& all, std::uint64_t wanted) {
  if (wanted != 0) return wanted;
  if (all.empty()) {
    throw Error(Fault::Usage,
                "nothing is kept here: there is no way back (setting keep-generations)");
  }
  return all.back().number;
}

}  // namespace

int run_generations(const Config& config, Clock&) {
  const Dir root = Dir::open_root(config.destination);
  RealDisk disk(root);
  const std::vector<Generation> all = list_generations(disk);
  if (all.empty()) {
    std::printf("no generation is kept in %s\n", escape(config.destination).c_str());
    return 0;
  }
  std::printf("%6s  %-19s  %8s  %12s\n", "number", "replaced at", "paths", "bytes kept");
  for (const Generation& one : all) {
    std::printf("%6llu  %-19s  %8zu  %12llu\n", static_cast<unsigned long long>(one.number),
                show_moment(one.made_ns).c_str(), count_paths(one),
                static_cast<unsigned long long>(one.bytes));
  }
  std::printf("back to the state before one of them: xroad-sync rollback NUMBER\n");
  return 0;
}

int run_rollback(const Config& config, Clock& clock) {
  const Interrupt interrupt;
  check_node(config);
  Reporter reporter(config, new_run_id(), {});
  const Dir root = Dir::open_root(config.destination);
  const Lock lock = Lock::take(root);
  RealDisk disk(root);
  const WakeAction action = wake_of(config.wake);
  Waker waker(action, config.destination, clock);
  const Wake wake = [&waker](std::string_view owed) { waker(owed); };
  const Recovery earlier = recover(disk, clock, {wake, {}, config.keep});
  if (earlier.completed) reporter.recovered(details_of(earlier, config.destination), {});
  RollbackRequest request;
  request.number = chosen(list_generations(disk), config.verb_options.rollback);
  request.id = new_run_id();
  request.index_files = config.preset->index_files;
  request.wake = [&](const std::vector<Step>& steps) { return wake_for(action, steps); };
  request.on_wake = wake;
  request.keep = config.keep;
  const CommitResult result = rollback(disk, clock, request);
  for (const std::string& note : result.notes) spdlog::warn("{}", note);
  for (const Problem& problem : result.problems) {
    spdlog::warn("{}: {}", quote(problem.path), problem.what);
  }
  std::string sentence =
      "rolled back to the state before generation " + std::to_string(request.number);
  if (result.generation != 0) {
    sentence += "; to undo this: xroad-sync rollback " + std::to_string(result.generation);
  }
  reporter.rolled_back(sentence, result.generation);
  std::printf(
      "%s\nthe next run of the timer syncs with the primary again: xroad-sync pause keeps "
      "this state\n",
      sentence.c_str());
  if (!waker.failures().empty()) {
    throw Error(Fault::Action, "the rollback is complete, but what follows it failed: " +
                                   waker.failures().front());
  }
  if (!result.problems.empty()) {
    throw Error(Fault::Partial, std::to_string(result.problems.size()) +
                                    " paths were changed by somebody else and were left alone");
  }
  return 0;
}

}  // namespace xs::cli
