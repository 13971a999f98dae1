// SPDX-License-Identifier: MIT
#include "companion/replication/standby_steps.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/db.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/start_log.h"

namespace xs {
namespace {

std::string auto_conf(const Cluster& cluster) { return cluster.data + "/postgresql.auto.conf"; }

std::string with_settings(const StandbyWork& work, const std::string& text) {
  return with_block(text, conf_lines(standby_settings(work.plan, work.cluster().major)),
                    BlockPlace::End, work.cluster().conf_file());
}

// Not by the standby's name: what has a slot tells how far it has written, and commits that wait
// for that standby would go on.
Command backup_command(const StandbyWork& work) {
  Command command;
  command.argv = {work.cluster().bin + "/pg_basebackup",
                  "-D",
                  work.place.copy(),
                  "-X",
                  "stream",
                  "-c",
                  "fast",
                  "-S",
                  work.plan.slot,
                  "-w",
                  "-d",
                  primary_conninfo(work.plan) + " application_name=pg_basebackup"};
  command.limit = work.copy_limit;
  command.ends_with_us = true;
  return command;
}

Command verify_command(const StandbyWork& work) {
  Command command;
  command.argv = {work.cluster().bin + "/pg_verifybackup", "-q", work.place.copy()};
  command.limit = work.copy_limit;
  command.ends_with_us = true;
  return command;
}

bool can_verify(const StandbyWork& work) {
  return ::access((work.cluster().bin + "/pg_verifybackup").c_str(), X_OK) == 0;
}

WorkStep backup_step(const StandbyWork& work) {
  WorkStep step;
  step.what = "take a copy of the primary's data";
  step.detail = [=] { return "$ " + command_text(work.cluster(), backup_command(work)) + "\n"; };
  step.done = [=] { return work.in_place() || work.place.has("verified", work.mark()); };
  step.act = [=] {
    work.place.make_room();
    run_command(work.cluster(), backup_command(work), work.sql.clock());
  };
  // Half a copy is of no use, and on a full disk the old server needs the room.
  step.undo = [=] { work.place.discard(); };
  return step;
}

WorkStep verify_step(const StandbyWork& work) {
  WorkStep step;
  step.what = "check the copy";
  step.detail = [=]() -> std::string {
    if (!can_verify(work)) return "its control data; there is no pg_verifybackup in this version\n";
    return "$ " + command_text(work.cluster(), verify_command(work)) + "\n";
  };
  step.done = [=] { return work.in_place() || work.place.has("verified", work.mark()); };
  step.act = [=] {
    const auto control = read_control(work.cluster(), work.place.copy(), work.sql.clock());
    if (control.system_id != work.system_id) {
      throw Error(Fault::Mismatch, "the copy is of another database");
    }
    if (can_verify(work)) run_command(work.cluster(), verify_command(work), work.sql.clock());
    work.place.note("verified", work.mark());
  };
  return step;
}

// Settings by ALTER SYSTEM are of a node, but not those that say whom it follows.
std::string own_auto_conf(const std::string& text) {
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t size = std::min(rest.find('\n'), rest.size() - 1) + 1;
    const std::string_view line = rest.substr(0, size);
    rest.remove_prefix(size);
    const bool follows = line.starts_with("primary_") || line.starts_with("recovery_") ||
                         line.starts_with("synchronous_standby_names");
    if (!follows) out += line;
  }
  return out;
}

// The node keeps its own configuration; what comes with the copy is the primary's.
void prepare(const StandbyWork& work) {
  const Cluster& cluster = work.cluster();
  const std::string copy = work.place.copy();
  const auto own = [&](const char* name) { return read_owned(cluster.data + "/" + name, cluster); };
  const auto put = [&](const char* name, const std::string& bytes) {
    write_owned(copy + "/" + name, bytes, 0600, cluster);
  };
  if (cluster.config_in_data()) {
    for (const char* name : {"postgresql.conf", "pg_hba.conf", "pg_ident.conf"}) {
      if (const auto bytes = own(name)) put(name, *bytes);
    }
    const auto conf = read_owned(copy + "/postgresql.conf", cluster);
    put("postgresql.conf", with_settings(work, conf.value_or("")));
  }
  put("postgresql.auto.conf", own_auto_conf(own("postgresql.auto.conf").value_or("")));
  put("standby.signal", "");
  work.place.note("prepared", work.mark());
}

WorkStep prepare_step(const StandbyWork& work) {
  WorkStep step;
  step.what = "make the copy a standby";
  step.detail = [=] {
    const Cluster& cluster = work.cluster();
    std::string text = "new: " + escape(work.place.copy()) + "/standby.signal, mode 0600\n";
    text += "changed: " + escape(work.place.copy()) +
            "/postgresql.auto.conf: this node's own, without what says whom it follows\n";
    if (!cluster.config_in_data()) return text;
    const auto conf = read_owned(cluster.conf_file(), cluster).value_or("");
    return text + unified_diff(cluster.conf_file(), conf, with_settings(work, conf));
  };
  step.done = [=] { return work.in_place() || work.place.has("prepared", work.mark()); };
  step.act = [=] { prepare(work); };
  return step;
}

WorkStep stop_step(const StandbyWork& work) {
  const Cluster& cluster = work.cluster();
  WorkStep step;
  step.what = "stop the server";
  step.detail = [=] { return "$ " + command_text(cluster, stop_command(cluster)) + "\n"; };
  step.done = [=] { return work.in_place() || !find_server(cluster); };
  step.act = [=] { stop_server(cluster, work.sql.clock()); };
  // A standby in place is not stopped here, but is restarted later, and stopped when that fails.
  const bool ran = find_server(cluster).has_value();
  step.always_undo = ran;
  step.undo = [=] {
    if (ran && !find_server(cluster)) {
      run_command(cluster, start_command(cluster), work.sql.clock());
    }
  };
  return step;
}

WorkStep swap_step(const StandbyWork& work) {
  const Cluster& cluster = work.cluster();
  WorkStep step;
  step.what = "put the copy in place and the old data aside";
  step.detail = [=] {
    return (path_exists(cluster.data) ? "$ mv " + shell_words({cluster.data}) + " " +
                                            shell_words({cluster.data + ".old-TIME"}) + "\n"
                                      : "") +
           "$ mv " + shell_words({work.place.copy()}) + " " + shell_words({cluster.data}) + "\n";
  };
  step.done = [=] { return work.place.swapped() ? !work.place.needs_swap() : work.in_place(); };
  step.act = [=] { work.place.put_in_place(work.wall); };
  step.undo = [=] { work.place.put_back(); };
  return step;
}

using Nanoseconds = std::int64_t;

Nanoseconds nanoseconds(std::int64_t seconds, std::int64_t rest) {
  return seconds * 1'000'000'000 + rest;
}

// When the bytes of a file were written; nothing when there is none.
std::optional<Nanoseconds> written_at(const std::string& file) {
  struct stat st {};
  if (::stat(file.c_str(), &st) != 0) return std::nullopt;
  return nanoseconds(st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

// Its pid file is made anew at each start. Where a file system does not remember that, the file's
// third line does, in whole seconds: of the second itself nobody knows.
std::optional<Nanoseconds> started_at(const std::string& pid_file) {
  struct statx found {};
  if (::statx(AT_FDCWD, pid_file.c_str(), 0, STATX_BTIME, &found) != 0) return std::nullopt;
  if ((found.stx_mask & STATX_BTIME) != 0) {
    return nanoseconds(found.stx_btime.tv_sec, found.stx_btime.tv_nsec);
  }
  std::string text = read_file(pid_file, 8192);
  for (int i = 0; i < 2; ++i) text.erase(0, text.find('\n') + 1);
  const auto at = parse_number(text.substr(0, text.find('\n')));
  if (!at) return std::nullopt;
  return nanoseconds(static_cast<std::int64_t>(*at), 0);
}

bool started_after_change(const Cluster& cluster) {
  const AsOwner rights(cluster.user);
  const auto conf = written_at(cluster.conf_file());
  const auto stronger = written_at(auto_conf(cluster));
  const auto start = started_at(cluster.data + "/postmaster.pid");
  return conf && start && *conf < *start && stronger.value_or(0) < *start;
}

WorkStep start_step(const StandbyWork& work, const std::shared_ptr<StartLog>& log) {
  const Cluster& cluster = work.cluster();
  WorkStep step;
  step.what = "start the server";
  step.detail = [=] { return "$ " + command_text(cluster, start_command(cluster)) + "\n"; };
  step.done = [=] {
    return work.in_place() && find_server(cluster) && started_after_change(cluster);
  };
  step.act = [=] {
    // Not a restart, which a unit does not know how to do with a server from outside it.
    if (find_server(cluster)) stop_server(cluster, work.sql.clock());
    log->begin();
    run_command(cluster, start_command(cluster), work.sql.clock());
  };
  step.undo = [=] {
    if (find_server(cluster)) stop_server(cluster, work.sql.clock());
  };
  return step;
}

WorkStep stream_step(const StandbyWork& work, const std::shared_ptr<StartLog>& log) {
  WorkStep step;
  step.what = "wait until it follows the primary";
  step.detail = [=] {
    return "at most " +
           std::to_string(
               std::chrono::duration_cast<std::chrono::seconds>(work.stream_limit).count()) +
           " s\n";
  };
  step.done = [=] { return work.in_place() && work.streams(); };
  step.act = [=] {
    Clock& clock = work.sql.clock();
    const Instant deadline = clock.now() + work.stream_limit;
    if (!log->begun()) log->begin();  // it ran before us
    while (!work.streams()) {
      if (clock.now() >= deadline) {
        const std::string complaint = log->complaint();
        const bool gone = complaint.find("has already been removed") != std::string::npos;
        throw Error(Fault::Timeout,
                    "the standby does not follow " + escape(work.plan.host) + complaint +
                        (gone ? "; what it needs is gone at the primary: take a fresh copy with "
                                "--reclone"
                              : ""));
      }
      clock.poll({}, clock.now() + std::chrono::milliseconds(200));
    }
  };
  return step;
}

// `aside`: where the old data lies, which the directory knows.
WorkStep clear_step(const StandbyWork& work, const std::shared_ptr<std::string>& aside) {
  WorkStep step;
  step.what = "clear away " + escape(work.place.directory());
  step.done = [=] { return !path_exists(work.place.directory()); };
  step.act = [=] {
    *aside = work.place.old_data();
    work.place.clear();
  };
  return step;
}

}  // namespace

std::string StandbyWork::mark() const {
  return "setup " + system_id + " " + std::to_string(timeline);
}

bool StandbyWork::in_place() const {
  if (place.swapped() && place.has("prepared", mark())) return true;
  if (reclone || !path_exists(cluster().data)) return false;
  if (!read_owned(cluster().data + "/standby.signal", cluster())) return false;
  return read_control(cluster(), cluster().data, sql.clock()).system_id == system_id;
}

bool StandbyWork::streams() const {
  try {
    if (profile_row(plan.profile).hot) {
      return sql.value("select status from pg_stat_wal_receiver") == "streaming";
    }
    // A warm standby answers nobody; its primary knows.
    const Instant deadline = sql.clock().now() + std::chrono::seconds(10);
    Db db(primary_target(plan, plan.pki, password), sql.clock(), deadline);
    const auto rows = db.ask("select active::text from pg_replication_slots where slot_name = $1",
                             {plan.slot}, deadline);
    return find_server(cluster()) && !rows.empty() && rows[0][0] == "true";
  } catch (const Error& error) {
    if (error.fault() == Fault::Network || error.fault() == Fault::ConnectTimeout ||
        error.fault() == Fault::Stream || error.fault() == Fault::Timeout) {
      return false;
    }
    throw;
  }
}

void add_standby_steps(WorkPlan& plan, const StandbyWork& work) {
  const Cluster& cluster = work.cluster();
  // A standby that runs has the slot which keeps the primary's log for the copy. Otherwise the node
  // has its old data until the new data is there.
  const bool first = work.reclone && read_owned(cluster.data + "/standby.signal", cluster);
  if (first) plan.add(stop_step(work));
  plan.add(backup_step(work));
  plan.add(verify_step(work));
  plan.add(prepare_step(work));
  if (!first) plan.add(stop_step(work));
  plan.add(swap_step(work));
  // In a data directory the copy has been given it already.
  if (!cluster.config_in_data() || work.in_place()) {
    plan.add(edit_step(cluster.conf_file(), cluster,
                       "write our lines into " + escape(cluster.conf_file()),
                       [=](const std::string& text) { return with_settings(work, text); }));
  }
  // A base backup by hand (-R) has put another primary there, and that is stronger.
  if (work.in_place() && path_exists(auto_conf(cluster))) {
    plan.add(edit_step(auto_conf(cluster), cluster,
                       "take out of " + escape(auto_conf(cluster)) + " whom it follows",
                       own_auto_conf));
  }
  const auto log = std::make_shared<StartLog>(cluster);
  plan.add(start_step(work, log));
  plan.add(stream_step(work, log));
  const auto aside = std::make_shared<std::string>();
  plan.add(clear_step(work, aside));
  plan.note([=]() -> std::string {
    if (aside->empty()) return "";
    return "The old data lies in " + escape(*aside) + "; remove it when nobody needs it any more.";
  });
}

}  // namespace xs
