// SPDX-License-Identifier: MIT
#include "companion/replication/rejoin.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/cluster_lock.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/connection.h"
#include "companion/replication/copy_place.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/plan.h"
#include "companion/replication/rejoin_copy.h"
#include "companion/replication/rejoin_look.h"
#include "companion/replication/rejoin_rewind.h"
#include "companion/replication/rewind.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPoll = 100ms;

class Rejoin {
 public:
  Rejoin(const RejoinOrder& order, Clock& clock, const Wall& wall, const SayText& say)
      : order_(order),
        clock_(clock),
        wall_(wall),
        say_(say),
        cluster_(find_cluster(order.cluster, clock, order.roots)),
        place_(cluster_),
        copy_(cluster_) {}

  void run() {
    if (cluster_.major < 12) {
      throw Error(Fault::Unsupported, "PostgreSQL " + std::to_string(cluster_.major) +
                                          " is too old: 12 or newer is needed");
    }
    if (!order_.dry_run) lock_.emplace(cluster_);
    if (!path_exists(cluster_.data) && !go_on()) return;
    facts_ = look_for_rejoin(order_, cluster_, place_, clock_);
    if (facts_.way == Way::Nothing) {
      say_("This node is a standby of " + facts_.primary.where + " and streams from it, timeline " +
           std::to_string(facts_.primary.branch.timeline) + ": nothing to do.\n");
      return;
    }
    if (facts_.way == Way::Copy) check_copy(facts_, copy_);
    say_("The primary is " + facts_.primary.where + ", timeline " +
         std::to_string(facts_.primary.branch.timeline) +
         (facts_.own.timeline == 0
              ? std::string()
              : "; this node's timeline is " + std::to_string(facts_.own.timeline)) +
         ".\n" + facts_.loss());
    const WorkPlan plan = make_plan();
    if (order_.dry_run) return plan.describe(say_);
    place_.hold();
    plan.run(say_);
    tell_end();
  }

 private:
  // A run that was killed had the data elsewhere. False: this is a dry run, and it is told.
  bool go_on() {
    const bool parked = place_.parked();
    const bool back = copy_.put_back_begun();
    if (!parked && !back && !copy_.has("prepared")) return true;  // whoever reads it will say so
    if (order_.dry_run) {
      say_(
          "A rejoin or a set-up was broken off while the data directory was not in its place. Run "
          "this "
          "without --dry-run: it goes on there.\n");
      return false;
    }
    place_.hold();
    if (parked) {
      say_("a rejoin was broken off: the data directory is put back into its place\n");
      place_.put_back();
    } else if (back) {
      say_("a set-up was broken off: the old data is put back into its place\n");
      copy_.put_back();
    } else {
      copy_.put_in_place(wall_);
    }
    cluster_ = find_cluster(order_.cluster, clock_, order_.roots);
    return true;
  }

  WorkPlan make_plan() {
    WorkPlan plan(order_.again);
    const RewindWork rewind{facts_, order_, place_, clock_, say_};
    if (facts_.way == Way::Rewind) add_checkpoint_step(plan, rewind);
    plan.add(fence_step());
    plan.add(stop_step());
    plan.add(count_step());
    plan.add(slot_step());
    plan.add(
        kept(edit_step(cluster_.conf_file(), cluster_, "say whom it follows",
                       [this](const std::string& text) { return following_conf(facts_, text); })));
    if (path_exists(cluster_.data + "/postgresql.auto.conf")) {
      plan.add(kept(edit_step(cluster_.data + "/postgresql.auto.conf", cluster_,
                              "let nothing say otherwise",
                              [](const std::string& text) { return following_auto_conf(text); })));
    }
    if (facts_.way == Way::Rewind) {
      add_rewind_steps(plan, rewind);
    } else if (facts_.way == Way::Copy) {
      add_copy_steps(plan, {facts_, order_, copy_, clock_, wall_});
    }
    plan.add(start_step());
    plan.add(stream_step());
    plan.add(clean_step());
    return plan;
  }

  // Whatever fails later, an old primary is not given its old configuration back.
  static WorkStep kept(WorkStep step) {
    step.undo = nullptr;
    return step;
  }

  WorkStep fence_step() {
    WorkStep step;
    step.what = "see that it never starts as a primary";
    step.detail = [this] { return "new: " + escape(cluster_.data) + "/standby.signal\n"; };
    step.done = [this] { return is_fenced(cluster_.data); };
    step.act = [this] { fence(cluster_.data, cluster_); };
    return step;
  }

  WorkStep stop_step() {
    WorkStep step;
    step.what = "stop its server";
    step.detail = [this] { return "$ " + command_text(cluster_, stop_command(cluster_)) + "\n"; };
    step.done = [this] { return !find_server(cluster_); };
    step.act = [this] { stop_server(cluster_, clock_); };
    return step;
  }

  WorkStep count_step() {
    WorkStep step;
    step.what = "count again what only this node has";
    step.detail = [this] {
      return "at most " + std::to_string(order_.discard) +
             " transaction(s) may be thrown away (--discard)\n";
    };
    step.done = [this] { return facts_.own.timeline == 0; };  // a mixture, of no use
    step.act = [this] { check_stopped_tail(order_, facts_, clock_); };
    return step;
  }

  // Before the data is changed, so that the new primary keeps what will be needed.
  WorkStep slot_step() {
    const DbTarget& target = facts_.primary.target;
    WorkStep step;
    step.what = "make the replication slot " + facts_.slot + " at " + facts_.primary.where;
    step.detail = [this] {
      return "SQL (replication) CREATE_REPLICATION_SLOT " + facts_.slot + " PHYSICAL RESERVE_WAL\n";
    };
    step.done = [this, &target] {
      const AsOwner rights(cluster_.user);
      return has_slot(target, facts_.slot, clock_, clock_.now() + order_.patience);
    };
    step.act = [this, &target] {
      const AsOwner rights(cluster_.user);
      make_slot(target, facts_.slot, clock_, clock_.now() + order_.patience);
    };
    return step;
  }

  WorkStep start_step() {
    WorkStep step;
    step.what = "start it as a standby";
    step.detail = [this] { return "$ " + command_text(cluster_, start_command(cluster_)) + "\n"; };
    step.done = [this] { return find_server(cluster_).has_value(); };
    step.act = [this] {
      if (!is_fenced(cluster_.data)) {
        throw Error(Fault::Refused, "standby.signal is gone: it would start as a primary");
      }
      run_command(cluster_, start_command(cluster_), clock_);
    };
    return step;
  }

  bool streams() {
    const ServerState now = look_at_server(cluster_, clock_, clock_.now() + 10s);
    return now.standby && now.streams &&
           (!now.timeline || *now.timeline == facts_.primary.branch.timeline);
  }

  WorkStep stream_step() {
    WorkStep step;
    step.what = "wait until it streams from " + facts_.primary.where;
    step.done = [this] { return find_server(cluster_) && streams(); };
    step.act = [this] {
      const Instant deadline = clock_.now() + order_.stream_limit;
      while (!streams()) {
        if (!find_server(cluster_)) {
          throw Error(Fault::Action, "its server has ended: see its log");
        }
        if (clock_.now() >= deadline) {
          refuse_silence();
        }
        clock_.poll({}, std::min(clock_.now() + kPoll, deadline));
      }
    };
    return step;
  }

  void refuse_silence() {
    const std::string why = why_no_stream(order_, facts_, clock_);
    throw Error(Fault::Timeout, "it runs as a standby and does not stream from the new primary: " +
                                    (why.empty() ? "its log says why (is the slot " + facts_.slot +
                                                       " in use by another node?)"
                                                 : why));
  }

  WorkStep clean_step() {
    WorkStep step;
    step.what = "remove what the rejoin has made beside the data";
    step.done = [this] { return !place_.exists() && !path_exists(copy_.directory()); };
    step.act = [this] {
      if (copy_.swapped()) {
        copy_.finish_swap();
        aside_ = copy_.old_data();
      }
      copy_.clear();
      place_.clear();
    };
    return step;
  }

  void tell_end() {
    const ServerState now = look_at_server(cluster_, clock_, clock_.now() + 10s);
    std::string text =
        "\nThis node is a standby of " + facts_.primary.where +
        " now and streams from it, timeline " + std::to_string(facts_.primary.branch.timeline) +
        (facts_.own.timeline == 0 ? std::string()
                                  : " (it was on " + std::to_string(facts_.own.timeline) + ")") +
        ".\n";
    if (facts_.way != Way::Follow) text += facts_.loss();
    if (!aside_.empty()) {
      text +=
          "Its old data lies in " + escape(aside_) + "; remove it when nobody needs it any more.\n";
    }
    if (now.status) {
      for (const SlotLine& slot : now.status->slots) {
        text += "WARNING: the slot " + quote(slot.name) +
                " is left from its time as a primary, and keeps WAL here for ever. When nothing "
                "follows this node: select pg_drop_replication_slot('" +
                escape(slot.name) + "');\n";
      }
    }
    text +=
        "X-Road on this node: [node] type=slave in /etc/xroad/conf.d/node.ini, and "
        "xroad-sync.timer on, with the new primary as its host. Then `xroad-companion "
        "status`.\n";
    say_(text);
  }

  const RejoinOrder& order_;
  Clock& clock_;
  const Wall& wall_;
  const SayText& say_;
  Cluster cluster_;
  std::optional<ClusterLock> lock_;
  RewindPlace place_;
  CopyPlace copy_;
  RejoinFacts facts_;
  std::string aside_;
};

}  // namespace

void rejoin(const RejoinOrder& order, Clock& clock, const Wall& wall, const SayText& say) {
  Rejoin(order, clock, wall, say).run();
}

}  // namespace xs
