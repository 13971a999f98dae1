// SPDX-License-Identifier: MIT
#include "companion/replication/promote.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/auto_conf.h"
#include "companion/replication/cluster_lock.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/connection.h"
#include "companion/replication/control.h"
#include "companion/replication/old_primary.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/plan.h"
#include "companion/replication/promote_words.h"
#include "companion/replication/rewind.h"
#include "companion/replication/server_state.h"
#include "companion/replication/timeline.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPoll = 100ms;
constexpr const char* kNames = "synchronous_standby_names";

class Promotion {
 public:
  Promotion(const PromoteOrder& order, Clock& clock, const SayText& say)
      : order_(order),
        clock_(clock),
        say_(say),
        cluster_(find_cluster(order.cluster, clock, order.roots)) {}

  void run() {
    if (cluster_.major < 12) {
      throw Error(Fault::Unsupported, "PostgreSQL " + std::to_string(cluster_.major) +
                                          " is too old: 12 or newer is needed");
    }
    if (!order_.dry_run) lock_.emplace(cluster_);
    look();
    if (!state_.standby) return is_primary();
    if (!state_.status && configured(cluster_, "hot_standby", clock_) != "off") {
      throw Error(Fault::Io, "this standby does not answer yet: " + state_.silence +
                                 ". Wait until it does; its log says what it waits for");
    }
    check_old_primary();
    // Its receiver has ended with the old primary, and no title tells any more.
    if (!state_.status && !state_.received) {
      state_.received = end_of_log(cluster_, state_.control, clock_);
    }
    say_(lag_words(state_, old_));
    const WorkPlan plan = make_plan();
    if (order_.dry_run) return plan.describe(say_);
    plan.run(say_);
    tell_next();
  }

 private:
  void look() {
    state_ = look_at_server(cluster_, clock_, clock_.now() + 10s);
    if (!state_.runs) {
      throw Error(Fault::Io, "the server of " + quote(cluster_.data) + " does not run; start it: " +
                                 command_text(cluster_, start_command(cluster_)));
    }
    if (!state_.standby && !state_.status) {
      throw Error(Fault::Io, state_.silence);
    }
  }

  // Perhaps since a run of ours that did not come to its end, so its last steps are taken.
  void is_primary() {
    say_("This database is a primary already, on timeline " + std::to_string(timeline()) +
         ": nothing to do but to make sure of it.\n");
    const bool followed = look_at_standbys();
    WorkPlan plan(order_.again);
    plan.add(write_step());
    plan.add(checkpoint_step());
    if (order_.dry_run) return plan.describe(say_);
    plan.run(say_);
    if (followed || timeline() == 1) return;
    old_.where = old_address();
    tell_next();
  }

  // True when there is one.
  bool look_at_standbys() {
    const auto rows =
        ask("select current_setting('synchronous_standby_names'), count(*), count(*) filter (where "
            "sync_state in ('sync', 'quorum')) from pg_stat_replication");
    const std::string names = rows.at(0).at(0).value_or("");
    if (!names.empty() && rows[0].at(2) == "0") {
      say_("WARNING: " + std::string(kNames) + " is " + quote(names) +
           " and no such standby is here: EVERY WRITE HANGS until one is, or until this:\n"
           "  alter system set " +
           kNames + " = ''; select pg_reload_conf();\n");
    }
    return rows[0].at(1) != "0";
  }

  // Throws when it may be alive.
  void check_old_primary() {
    std::string reason;
    try {
      target_ = old_target();
      // A person's word needs no patience.
      const Instant deadline = clock_.now() + (order_.fenced ? Duration{} : order_.patience);
      old_ = ask_old_primary(deadline);
      if (old_.life != Life::Gone) reason = old_.words();
      // Its end travels faster than its machine's answer, but not by much.
      while (reason.empty() && still_receives()) {
        if (clock_.now() >= deadline) {
          reason =
              "the old primary's port is closed, but this standby still receives from it: "
              "some of its processes live. Stop them first";
          break;
        }
        clock_.poll({}, clock_.now() + kPoll);
      }
    } catch (const Error& error) {
      if (error.fault() != Fault::Usage) throw;
      reason = "whether the old primary is alive cannot be asked: " + error.text();
    }
    if (reason.empty()) return say_(old_.words() + ".\n");
    if (!order_.fenced) {
      throw Error(Fault::Refused,
                  reason +
                      "; or, when you know that no client reaches it and that it is not "
                      "started again, say so with --fenced. Nothing has been changed");
    }
    say_("WARNING: " + reason + ".\nGoing on, because you say that it is fenced.\n");
  }

  OldPrimary ask_old_primary(Instant until) {
    const auto server = find_server(cluster_);
    const Survivor own{state_.control.system_id, server ? server->port : cluster_.port};
    const AsOwner rights(cluster_.user);
    return look_at_old_primary(target_, own, clock_, until);
  }

  // It may have been started since.
  void check_again() {
    if (order_.fenced) return;
    const OldPrimary now = ask_old_primary(clock_.now());
    if (now.life == Life::Gone) return;
    throw Error(Fault::Refused, "it did not run when it was asked first, but now " + now.words() +
                                    ". This standby has not been promoted");
  }

  DbTarget old_target() {
    const std::string known = configured(cluster_, "primary_conninfo", clock_);
    DbTarget target;
    if (!known.empty()) target = parse_conninfo(known, "primary_conninfo of this standby");
    if (!order_.primary.empty()) {
      target = parse_conninfo(order_.primary, "the primary's address", target);
    }
    if (!target.hosts.empty()) return target;
    throw Error(Fault::Usage,
                "this standby does not tell where it was (primary_conninfo is empty): give "
                "--primary 'host=... port=... user=...'");
  }

  // For people.
  std::string old_address() {
    try {
      return hosts_text(old_target());
    } catch (const Error& error) {
      if (error.fault() != Fault::Usage) throw;
      return "";
    }
  }

  bool still_receives() {
    state_ = look_at_server(cluster_, clock_, clock_.now() + 10s);
    return state_.streams;
  }

  std::vector<DbRow> ask(const std::string& sql) {
    return server(30s)->ask(sql, {}, clock_.now() + 30s);
  }

  std::unique_ptr<Db> server(Duration longest) {
    return open_server(cluster_, clock_, clock_.now() + 10s,
                       std::chrono::duration_cast<std::chrono::milliseconds>(longest));
  }

  std::uint32_t timeline() {
    return read_replication(*server(10s), cluster_.owner, clock_.now() + 10s).timeline.value_or(0);
  }

  WorkPlan make_plan() {
    WorkPlan plan(order_.again);
    plan.add(names_step());
    if (state_.status) plan.add(resume_step());
    plan.add(promote_step());
    plan.add(write_step());
    plan.add(checkpoint_step());
    return plan;
  }

  // A warm standby cannot be asked, and its ALTER SYSTEM cannot be at work either.
  WorkStep names_step() {
    WorkStep step;
    step.what = "let no write wait for standbys that are not there";
    step.detail = [this] {
      return state_.status ? std::string("SQL alter system set ") + kNames +
                                 " = ''\nSQL select pg_reload_conf()\n"
                           : "changed: " + escape(cluster_.data) +
                                 "/postgresql.auto.conf: " + kNames + " = ''\n";
    };
    step.done = [this] { return configured(cluster_, kNames, clock_).empty(); };
    step.act = [this] {
      say_(std::string("(") + kNames + " was " + quote(configured(cluster_, kNames, clock_)) +
           ") ");
      if (!state_.status) {
        set_auto_conf(cluster_, {{kNames, ""}});
        run_command(cluster_, reload_command(cluster_), clock_);
        return;
      }
      const auto db = server(30s);
      const Instant deadline = clock_.now() + 30s;
      db->ask(std::string("alter system set ") + kNames + " = ''", {}, deadline);
      db->ask("select pg_reload_conf()", {}, deadline);
      for (;;) {
        const auto rows =
            db->ask(std::string("select setting from pg_settings where name = '") + kNames + "'",
                    {}, deadline);
        if (rows.at(0).at(0).value_or("").empty()) return;
        clock_.poll({}, clock_.now() + kPoll);
      }
    };
    return step;
  }

  WorkStep resume_step() {
    WorkStep step;
    step.what = "let replay go on";
    step.detail = [] { return std::string("SQL select pg_wal_replay_resume()\n"); };
    step.done = [this] {
      const auto db = server(10s);
      try {
        return read_progress(*db, clock_.now() + 10s).pause == "not paused";
      } catch (const Error& error) {
        if (error.fault() == Fault::Role) return true;  // promoted meanwhile
        throw;
      }
    };
    step.act = [this] { resume_replay(*server(10s), clock_, clock_.now() + 30s); };
    return step;
  }

  Command promote_command() const {
    Command command;
    command.argv = {cluster_.bin + "/pg_ctl", "-D", cluster_.data, "-s", "-W", "promote"};
    return command;
  }

  WorkStep promote_step() {
    WorkStep step;
    step.what = "promote";
    step.detail = [this] { return "$ " + command_text(cluster_, promote_command()) + "\n"; };
    step.done = [this] {
      const ServerState now = look_at_server(cluster_, clock_, clock_.now() + 10s);
      return now.status && !now.standby;
    };
    step.act = [this] {
      check_again();
      const Instant deadline = clock_.now() + order_.limit;
      run_command(cluster_, promote_command(), clock_);
      Position at;
      for (;;) {
        const ServerState now = look_at_server(cluster_, clock_, clock_.now() + 10s);
        if (now.status && !now.standby) return;
        if (now.status) at = now.status->replayed;
        if (!now.runs) {
          throw Error(Fault::Io,
                      "the server has ended while it was promoted. Its log says why; "
                      "start it: " +
                          command_text(cluster_, start_command(cluster_)));
        }
        if (clock_.now() >= deadline) {
          throw Error(Fault::Timeout,
                      "it is not a primary yet" +
                          (at ? "; it has replayed up to " + lsn_text(*at) : std::string()) +
                          ". The request stands: it becomes one when all that it has received is "
                          "replayed");
        }
        clock_.poll({}, std::min(clock_.now() + kPoll, deadline));
      }
    };
    return step;
  }

  // A message in the log that nobody reads: it is written, flushed and committed as a row would be.
  WorkStep write_step() {
    WorkStep step;
    step.what = "see that it takes writes";
    const std::string sql = "select pg_logical_emit_message(true, 'xroad-companion', 'promoted')";
    step.detail = [sql] { return "SQL " + sql + "   (no table is touched)\n"; };
    step.act = [this, sql] {
      // The server gives up later than we do: a wait for a standby that it gives up is no failure
      // to it, but the commit is here alone.
      const auto db = server(order_.write_limit + 5s);
      try {
        db->ask(sql, {}, clock_.now() + order_.write_limit);
      } catch (const Error& error) {
        const std::string names = configured(cluster_, kNames, clock_);
        throw Error(error.fault(),
                    "it is a primary, but a write does not succeed: " + error.text() +
                        (names.empty() ? "" : std::string("; ") + kNames + " is " + quote(names)));
      }
    };
    return step;
  }

  // Until the first checkpoint pg_rewind takes this server for one of the old timeline.
  WorkStep checkpoint_step() {
    WorkStep step;
    step.what = "write the new timeline down (a checkpoint)";
    step.detail = [] { return std::string("SQL checkpoint\n"); };
    step.done = [this] {
      const ServerState now = look_at_server(cluster_, clock_, clock_.now() + 10s);
      return !now.standby && now.status && now.status->timeline == now.control.timeline;
    };
    step.act = [this] {
      server(order_.limit + 5s)->ask("checkpoint", {}, clock_.now() + order_.limit);
    };
    return step;
  }

  std::string forked_at() {
    try {
      const AsOwner rights(cluster_.user);
      const auto text =
          read_file_if_exists(cluster_.data + "/pg_wal/" + history_name(timeline()), 1U << 20);
      const TimelineHistory history = text ? parse_history(*text) : TimelineHistory{};
      return history.empty() ? "" : ", since " + lsn_text(history.back().end);
    } catch (const Error&) {
      return "";  // told to people only
    }
  }

  // Also of an earlier run that was killed, so it is read from where the step left it.
  bool emptied() {
    const std::string file = cluster_.data + "/postgresql.auto.conf";
    const auto names = conf_value(read_owned(file, cluster_).value_or(""), kNames);
    return names && names->empty();
  }

  // Without a CA of its own it is no certificate that standbys compare.
  void name_node(Promoted& promoted) {
    try {
      PkiPaths pki{configured(cluster_, "ssl_ca_file", clock_),
                   configured(cluster_, "ssl_cert_file", clock_),
                   configured(cluster_, "ssl_key_file", clock_)};
      if (pki.ca.empty()) return;
      for (std::string* file : {&pki.ca, &pki.certificate, &pki.key}) {
        if (!file->starts_with('/')) *file = cluster_.data + "/" + *file;
      }
      const AsOwner rights(cluster_.user);
      promoted.own = certificate_names(read_file(pki.certificate, 1U << 16));
      if (!path_exists(parent_of(pki.ca) + "/ca.key")) promoted.given = pki;
    } catch (const Error&) {
      promoted.own = {};  // told to people only
    }
  }

  void tell_next() {
    Promoted promoted{timeline(), forked_at(), old_.where, cluster_.port, emptied(), {}, {}};
    name_node(promoted);
    say_("\n" + next_words(promoted));
  }

  const PromoteOrder& order_;
  Clock& clock_;
  const SayText& say_;
  Cluster cluster_;
  std::optional<ClusterLock> lock_;
  ServerState state_;
  DbTarget target_;
  OldPrimary old_;
};

}  // namespace

void promote(const PromoteOrder& order, Clock& clock, const SayText& say) {
  Promotion(order, clock, say).run();
}

}  // namespace xs
