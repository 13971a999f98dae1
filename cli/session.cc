// SPDX-License-Identifier: MIT
#include "cli/session.h"

#include <sys/random.h>

#include <chrono>
#include <ctime>
#include <future>
#include <optional>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cli/connect.h"
#include "cli/use_config.h"
#include "protocol/channel.h"
#include "protocol/throttled_stream.h"
#include "sync/lock.h"
#include "sync/real_disk.h"
#include "sync/xroad/node.h"
#include "sync/xroad/preset.h"
#include "sync/xroad/wake_text.h"

namespace xs::cli {
namespace {

constexpr std::chrono::hours kLongest{24};  // where no total limit is configured

double chance() {
  static std::mt19937 random(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(random);
}

// Both are sorted by path; what the commit had to leave as it was is in the details alone.
void tell_only(const std::vector<Change>& changes, std::vector<ChangeDetail>& details) {
  if (details.size() <= changes.size()) return;
  auto at = changes.begin();
  std::erase_if(details, [&](const ChangeDetail& detail) {
    if (at == changes.end() || at->path != detail.change.path) return true;
    ++at;
    return false;
  });
}

}  // namespace

std::uint64_t new_run_id() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

WakeAction wake_of(const WakeConfig& wake) {
  std::string text = wake.action;
  if (wake.action == "command") text += " " + wake.command;
  if (wake.action == "reload") text += " " + wake.unit;
  if (wake.action == "signal") {
    text += " " + wake.signal + " " + (wake.unit.empty() ? wake.pid_file : wake.unit);
  }
  return parse_wake(text);
}

GuardRules guard_of(const Config& config) {
  GuardRules rules = config.preset->guard;
  rules.deletions = rules.deletions && !config.guard.allow_deletes;
  rules.loss = rules.loss && !config.guard.allow_empty;
  rules.percent = config.guard.max_delete_percent;
  rules.count = config.guard.max_delete_files;
  rules.precious = config.guard.required;
  return rules;
}

void check_node(const Config& config) {
  if (!config.guard.check_role || config.guard.node_ini.empty()) return;
  require_secondary(read_node(config.guard.node_ini));
}

std::vector<ChangeDetail> details_of(const Recovery& recovery, const std::string& destination) {
  const Dir root = Dir::open_root(destination);
  RealDisk disk(root);
  std::vector<ChangeDetail> details;
  for (const Change& change : recovery.changes) {
    ChangeDetail& detail = details.emplace_back();
    detail.change = change;
    const auto st = change.deleted ? std::nullopt : disk.stat(change.path);
    if (!st) continue;
    detail.size = st->size;
    detail.mtime_ns = st->mtime_ns;
    detail.mode = st->permissions();
    detail.uid = st->uid;
    detail.gid = st->gid;
    if (change.type == EntryType::Symlink) detail.target = disk.readlink(change.path);
  }
  return details;
}

Session::Session(const Config& config, Clock& clock)
    : config_(config),
      clock_(clock),
      start_(clock.now()),
      end_(start_ + (config.deadlines.total.count() > 0
                         ? std::chrono::duration_cast<Duration>(config.deadlines.total)
                         : std::chrono::duration_cast<Duration>(kLongest))),
      guard_(guard_of(config)),
      waker_(wake_of(config.wake), config.destination, clock) {
  make_request();
}

std::string Session::source() const {
  return endpoint(config_).shown() + ":" + escape(config_.primary.path);
}

void Session::make_request() {
  request_ = pull_request(config_);
  request_.run_id = new_run_id();
  request_.wake = [action = wake_of(config_.wake)](const Plan& plan) {
    return wake_for(action, plan);
  };
  request_.on_wake = [this](std::string_view owed) { waker_(owed); };
  request_.approve = [this](const Plan& plan, const Entries& local, const Entries& target,
                            const std::vector<Problem>& problems) {
    approve_plan(plan, local, target, problems, guard_);
    outcome_.details = details_of(plan.changes, local, target);
    outcome_.stats = count_run(target, outcome_.details);
    outcome_.stats.listing = clock_.now() - start_;
  };
}

void Session::complete_earlier() {
  if (!has_unfinished_commit(config_.destination)) return;
  const Dir root = Dir::open_root(config_.destination);
  const Lock lock = Lock::take(root);
  RealDisk disk(root);
  const Recovery recovery = recover(disk, clock_, {request_.on_wake, {}, request_.keep});
  recovery_problems_ = recovery.problems;
  note_recovery(recovery);
}

void Session::note_recovery(const Recovery& recovery) {
  if (recovery.completed) recovered_ = details_of(recovery, config_.destination);
}

Outcome Session::run() {
  // The scan has a thread of its own: it and the login cost about the same, and need nothing of
  // each other.
  auto scanning = std::async(std::launch::async, [this] {
    auto receiver = std::make_unique<Receiver>(request_, clock_);
    return std::pair(std::move(receiver), clock_.now() - start_);
  });
  std::unique_ptr<Stream> stream;
  std::optional<Error> unreachable;
  try {
    stream = connect(config_, clock_, end_, chance);
  } catch (const Error& error) {
    unreachable = error;
  }
  const auto [receiver, scanned] = scanning.get();  // what fails here is nearer, and is told first
  note_recovery(receiver->recovery());
  if (unreachable) throw *unreachable;
  std::optional<ThrottledStream> throttled;
  if (config_.bwlimit != 0) throttled.emplace(*stream, clock_, config_.bwlimit);
  outcome_.result = talk(*receiver, throttled ? static_cast<Stream&>(*throttled) : *stream);
  std::vector<Problem>& problems = outcome_.result.problems;
  problems.insert(problems.end(), recovery_problems_.begin(), recovery_problems_.end());
  tell_only(outcome_.result.changes, outcome_.details);
  outcome_.stats.scanning = scanned;
  outcome_.stats.literal = outcome_.result.literal;
  outcome_.stats.sent = sent_;
  outcome_.stats.received = received_;
  outcome_.stats.elapsed = elapsed();
  outcome_.stats.dry_run = request_.preview;
  if (outcome_.details.empty()) outcome_.stats.total_size = outcome_.result.total_size;
  return std::move(outcome_);
}

PullResult Session::talk(Receiver& receiver, Stream& stream) {
  Channel channel(stream, Side::Client, clock_, run_deadlines(config_, is_booting()), end_);
  const auto count = [&] {
    sent_ = channel.sent();
    received_ = channel.received();
  };
  try {
    PullResult result = receiver.run(channel);
    count();
    return result;
  } catch (const Error&) {
    count();
    throw;
  }
}

}  // namespace xs::cli
