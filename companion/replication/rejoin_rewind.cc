// SPDX-License-Identifier: MIT
#include "companion/replication/rejoin_rewind.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPoll = 200ms;

bool has_checkpoint(const RewindWork& work) {
  const NewPrimary& primary = work.facts.primary;
  const AsOwner rights(work.facts.cluster.user);
  return checkpoint_timeline(primary.target, work.clock, work.clock.now() + work.order.patience) >=
         primary.branch.timeline;
}

// Until its first checkpoint pg_rewind takes the new primary for one of the old timeline, finds
// nothing to rewind, and says that all is well.
WorkStep checkpoint_step(const RewindWork& work) {
  WorkStep step;
  step.what = "see that the new primary has written its timeline down (a checkpoint)";
  step.detail = [] { return std::string("SQL select timeline_id from pg_control_checkpoint()\n"); };
  step.done = [=] { return has_checkpoint(work); };
  step.act = [=] {
    const Instant deadline = work.clock.now() + work.order.checkpoint_limit;
    work.say("it makes one by itself, within some minutes; at once by CHECKPOINT there... ");
    while (!has_checkpoint(work)) {
      if (work.clock.now() >= deadline) {
        throw Error(Fault::Timeout, "since its promotion " + work.facts.primary.where +
                                        " has made no checkpoint, so nothing can be rewound: as "
                                        "superuser, there: CHECKPOINT. Nothing has been changed");
      }
      work.clock.poll({}, std::min(work.clock.now() + kPoll, deadline));
    }
  };
  return step;
}

WorkStep recover_step(const RewindWork& work) {
  const Cluster& cluster = work.facts.cluster;
  WorkStep step;
  step.what = "bring its own log to its end, as a standby that talks to nobody";
  step.detail = [=] {
    return "$ " + command_text(cluster, recover_command(cluster, work.order.work_limit)) + "\n$ " +
           command_text(cluster, end_recovery_command(cluster)) + "\n";
  };
  step.done = [=] {
    return !find_server(cluster) &&
           read_control(cluster, cluster.data, work.clock).stopped_cleanly();
  };
  step.act = [=] {
    if (!is_fenced(cluster.data)) {
      throw Error(Fault::Refused, "standby.signal is gone: somebody else is at work here");
    }
    run_command(cluster, recover_command(cluster, work.order.work_limit), work.clock);
    run_command(cluster, end_recovery_command(cluster), work.clock);
  };
  return step;
}

Command rewind(const RewindWork& work, bool dry_run) {
  const Cluster& cluster = work.facts.cluster;
  return rewind_command(cluster, dry_run ? cluster.data : work.place.parked_data(),
                        conninfo_text(work.facts.primary.target, "postgres"), dry_run,
                        work.order.work_limit);
}

void refuse_idle_rewind(const std::string& printed) {
  if (!finds_nothing(printed)) return;
  throw Error(Fault::Refused, std::string("this node cannot be rewound: ") + kNothingFound +
                                  ". It is not started; a fresh copy is the other way: "
                                  "--allow-reclone");
}

void try_rewind(const RewindWork& work) {
  std::string printed;
  try {
    printed = run_command(work.facts.cluster, rewind(work, true), work.clock);
  } catch (const Error& error) {
    throw Error(Fault::Refused,
                "this node cannot be rewound: " + error.text() +
                    ". Its data has not been changed, and it is not started; a fresh copy is "
                    "the other way: --allow-reclone");
  }
  refuse_idle_rewind(printed);
}

// Of everything below: its name, inode, size and time of change. Nothing where it cannot be read.
using Picture = std::map<std::string, std::array<std::int64_t, 4>>;
std::optional<Picture> picture_of(const std::string& top, const Cluster& cluster) {
  namespace fs = std::filesystem;
  const AsOwner rights(cluster.user);
  Picture picture;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(top, error), end; entry != end && !error;
       entry.increment(error)) {
    struct stat st {};
    if (::lstat(entry->path().c_str(), &st) != 0) return std::nullopt;
    picture[entry->path().string()] = {static_cast<std::int64_t>(st.st_ino), st.st_size,
                                       st.st_ctim.tv_sec, st.st_ctim.tv_nsec};
  }
  if (error) return std::nullopt;
  return picture;
}

void do_rewind(const RewindWork& work) {
  work.place.park();
  work.place.set_mixed(true);
  const auto before = picture_of(work.place.parked_data(), work.facts.cluster);
  std::string printed;
  try {
    printed = run_command(work.facts.cluster, rewind(work, false), work.clock);
  } catch (const Error& error) {
    // It may not even have been let in.
    const auto after = picture_of(work.place.parked_data(), work.facts.cluster);
    const bool begun = !before || !after || *before != *after;
    if (!begun) work.place.set_mixed(false);
    work.place.put_back();
    if (!begun) {
      throw Error(Fault::Action, error.text() +
                                     ". It has not changed anything yet: this node's data is as it "
                                     "was, and it is not started. Run this again");
    }
    throw Error(Fault::Action, error.text() +
                                   ". The data is a mixture of two histories now and is not "
                                   "started; only a fresh copy helps: --allow-reclone");
  }
  work.place.set_mixed(false);
  work.place.put_back();
  refuse_idle_rewind(printed);
}

WorkStep rewind_step(const RewindWork& work) {
  const Cluster& cluster = work.facts.cluster;
  WorkStep step;
  step.what = "take back what nobody else has (pg_rewind)";
  step.detail = [=] {
    return "$ " + command_text(cluster, rewind(work, true)) + "\n$ mv " +
           shell_words({cluster.data, work.place.parked_data()}) +
           "   (and this node's configuration beside it)\n$ " +
           command_text(cluster, rewind(work, false)) + "\n$ mv " +
           shell_words({work.place.parked_data(), cluster.data}) +
           "   (with this node's configuration and standby.signal)\n";
  };
  step.act = [=] {
    try_rewind(work);
    do_rewind(work);
  };
  return step;
}

}  // namespace

void add_checkpoint_step(WorkPlan& plan, const RewindWork& work) {
  plan.add(checkpoint_step(work));
}

void add_rewind_steps(WorkPlan& plan, const RewindWork& work) {
  plan.add(recover_step(work));
  plan.add(rewind_step(work));
}

}  // namespace xs
