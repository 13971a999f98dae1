// SPDX-License-Identifier: MIT
#include "companion/replication/primary_steps.h"

#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/new_primary.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/scram.h"

namespace xs {
namespace {

constexpr Duration kReload = std::chrono::seconds(30);

// Our lines in the file as it is.
std::string with_settings(const PrimaryWork& work, const std::vector<std::string>& waited_for,
                          const std::string& text) {
  PrimaryPlan plan = work.plan;
  plan.synchronous = waited_for;
  const Cluster& cluster = work.sql.cluster();
  return with_block(text, conf_lines(primary_settings(plan, cluster.major)), BlockPlace::End,
                    cluster.conf_file());
}

std::vector<std::string> setting_names(const PrimaryWork& work) {
  std::vector<std::string> names;
  for (const auto& [name, value] : primary_settings(work.plan, work.sql.cluster().major)) {
    names.push_back(name);
  }
  return names;
}

// Whom commits wait for already, so that a second run takes nothing back.
std::vector<std::string> waited_for(const PrimaryWork& work) {
  const Cluster& cluster = work.sql.cluster();
  if (work.plan.profile != Profile::Synchronous) return {};
  const auto text = read_owned(cluster.conf_file(), cluster).value_or("");
  const auto block = find_block(text, cluster.conf_file());
  const std::string now = conf_value(block.value_or(""), "synchronous_standby_names").value_or("");
  std::vector<std::string> names;
  for (const std::string& name : work.standbys) {
    if (now.find("\"" + name + "\"") != std::string::npos) names.push_back(name);
  }
  return names;
}

// Settings of ours that somebody else's line, or the command line, decides; "client" is this
// session.
std::string overruled(const PrimaryWork& work) {
  const auto rows = work.sql.ask(
      "select name || ' (by ' || coalesce(sourcefile || ':' || sourceline, source) || ')' "
      "from pg_settings where name = any($1::text[]) and source <> 'client' and "
      "(source <> 'configuration file' or sourcefile <> $2) order by 1",
      {sql_array(setting_names(work)), work.sql.cluster().conf_file()});
  std::string all;
  for (const DbRow& row : rows) all += (all.empty() ? "" : ", ") + escape(row[0].value_or(""));
  return all;
}

bool wants_restart(const PrimaryWork& work) {
  return work.sql.value(
             "select count(*) from pg_settings where pending_restart and "
             "name = any($1::text[])",
             {sql_array(setting_names(work))}) != "0";
}

// Lines that the server has not taken: it goes on with the old ones, and only its log says so.
// Asked after the reload, because lines about TLS are wrong for it until TLS is on.
void check_hba(const PrimaryWork& work) {
  const auto rows = work.sql.ask(
      "select line_number::text, error from pg_hba_file_rules where error is not null limit 1");
  if (rows.empty()) return;
  throw Error(Fault::Mismatch, quote(work.sql.cluster().hba_file()) + ":" +
                                   rows[0][0].value_or("?") + ": " +
                                   escape(rows[0][1].value_or("")));
}

void load_files(const PrimaryWork& work) {
  const Cluster& cluster = work.sql.cluster();
  const std::string before = work.sql.value("select pg_conf_load_time()::text");
  run_command(cluster, reload_command(cluster), work.sql.clock());
  if (!work.sql.says("select (pg_conf_load_time() > $1::timestamptz)::text", {before}, "true",
                     kReload)) {
    throw Error(Fault::Timeout, "the server does not read its configuration again");
  }
  check_hba(work);
}

bool loaded(const PrimaryWork& work) {
  const Cluster& cluster = work.sql.cluster();
  const auto at =
      work.sql.value("select floor(extract(epoch from pg_conf_load_time()) * 1000)::bigint::text");
  const auto milliseconds = parse_number(at);
  for (const std::string& file : {cluster.conf_file(), cluster.hba_file()}) {
    struct stat st {};
    if (::stat(file.c_str(), &st) != 0) throw_errno("stat", file);
    const auto changed = static_cast<unsigned long long>(st.st_mtim.tv_sec) * 1000 +
                         static_cast<unsigned long long>(st.st_mtim.tv_nsec) / 1'000'000;
    if (!milliseconds || *milliseconds < changed) return false;
  }
  return !wants_restart(work);
}

// Takes the server back to the files as they were before us.
void fall_back(const PrimaryWork& work) {
  const Cluster& cluster = work.sql.cluster();
  if (!find_server(cluster)) {
    run_command(cluster, start_command(cluster), work.sql.clock());
  } else {
    run_command(cluster, reload_command(cluster), work.sql.clock());
  }
}

WorkStep load_step(const PrimaryWork& work) {
  const Cluster& cluster = work.sql.cluster();
  WorkStep step;
  step.what = "let the server take the new configuration";
  step.detail = [=] {
    return "$ " + command_text(cluster, reload_command(cluster)) + "\n$ " +
           command_text(cluster, restart_command(cluster)) +
           "   (only if a setting needs it: clients are cut off for a moment)\n";
  };
  step.done = [=] { return loaded(work) && overruled(work).empty(); };
  step.act = [=] {
    load_files(work);
    if (wants_restart(work)) run_command(cluster, restart_command(cluster), work.sql.clock());
    if (!work.sql.says("select 1", {}, "1", kReload)) {
      throw Error(Fault::Timeout, "the server does not answer after its restart");
    }
    const std::string others = overruled(work);
    if (!others.empty()) {
      throw Error(Fault::Refused, "these settings are decided elsewhere than in our lines of " +
                                      quote(cluster.conf_file()) + ": " + others);
    }
  };
  return step;
}

WorkStep sql_step(const PrimaryWork& work, const std::string& what, const std::string& statement,
                  const std::string& shown, std::function<bool()> done) {
  WorkStep step;
  step.what = what;
  step.detail = [=] { return "SQL " + escape(shown) + "\n"; };
  step.done = std::move(done);
  step.act = [=] { work.sql.ask(statement); };
  return step;
}

WorkStep group_step(const PrimaryWork& work) {
  const std::string& group = work.plan.group;
  const std::string order = "create role " + sql_name(group) + " nologin";
  return sql_step(work, "make the role " + group, order, order, [=] {
    return work.sql.value("select 1 from pg_roles where rolname = $1", {group}) == "1";
  });
}

// What pg_rewind calls at a new primary. It is no more than a base backup, which the roles of the
// group may take, shows them anyway.
WorkStep rewind_step(const PrimaryWork& work) {
  const std::string& group = work.plan.group;
  std::string all;
  for (const std::string& one : rewind_functions()) all += (all.empty() ? "" : ", ") + one;
  const std::string order = "grant execute on function " + all + " to " + sql_name(group);
  return sql_step(work, "let a standby that comes back use pg_rewind", order, order, [=] {
    return work.sql.value(
               "select (select bool_and(has_function_privilege(r.oid, f, 'execute')) "
               "from unnest($2::text[]) f)::text from pg_roles r where r.rolname = $1",
               {group, sql_array(rewind_functions())}) == "true";
  });
}

// One statement, so that a role is never there with half of its rights.
WorkStep role_step(const PrimaryWork& work, const std::string& name) {
  const std::string& group = work.plan.group;
  WorkStep step;
  step.what = "make the role " + name + ", which may replicate";
  const std::string rights = sql_name(name) + " login replication password ";
  step.detail = [=] {
    return "SQL create role " + rights + (work.password.empty() ? "null" : "'********'") +
           " in role " + sql_name(group) + "\n";
  };
  step.done = [=] {
    const auto rows = work.sql.ask(
        "select (r.rolcanlogin and r.rolreplication)::text, coalesce(a.rolpassword, ''), "
        "exists(select 1 from pg_auth_members m join pg_roles g on g.oid = m.roleid "
        "where m.member = r.oid and g.rolname = $2)::text "
        "from pg_roles r join pg_authid a on a.oid = r.oid where r.rolname = $1",
        {name, group});
    if (rows.empty() || rows[0][0] != "true" || rows[0][2] != "true") return false;
    const std::string now = rows[0][1].value_or("");
    return work.password.empty() ? now.empty() : scram_matches(now, work.password);
  };
  step.act = [=] {
    const std::string secret =
        work.password.empty() ? "null" : sql_text(scram_verifier(work.password));
    const bool there = work.sql.value("select 1 from pg_roles where rolname = $1", {name}) == "1";
    if (there) {
      work.sql.ask("alter role " + rights + secret);
      work.sql.ask("grant " + sql_name(group) + " to " + sql_name(name));
    } else {
      work.sql.ask("create role " + rights + secret + " in role " + sql_name(group));
    }
  };
  return step;
}

// Its log is kept from the first connection of its standby on, at most to the limit. One that has
// been over the limit is of no use any more.
WorkStep slot_step(const PrimaryWork& work, const std::string& name) {
  const std::string slot = slot_name(name);
  const std::string lost = work.sql.cluster().major >= 13 ? "wal_status = 'lost'" : "false";
  WorkStep step;
  step.what = "make the replication slot " + slot;
  step.detail = [=] { return "SQL select pg_create_physical_replication_slot('" + slot + "')\n"; };
  step.done = [=] {
    return work.sql.value(
               "select 1 from pg_replication_slots where slot_name = $1 and slot_type = "
               "'physical' and (" +
                   lost + ") is not true",
               {slot}) == "1";
  };
  step.act = [=] {
    work.sql.ask(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where "
        "slot_name = $1 and slot_type = 'physical' and " +
            lost,
        {slot});
    work.sql.ask("select pg_create_physical_replication_slot($1)", {slot});
  };
  return step;
}

// Only for standbys that stream: a commit that waits for one that is not there waits for ever.
WorkStep synchronous_step(const PrimaryWork& work) {
  const Cluster& cluster = work.sql.cluster();
  const auto streaming = [=] {
    std::vector<std::string> names;
    for (const DbRow& row : work.sql.ask(
             "select distinct application_name from pg_stat_replication where state = 'streaming' "
             "and application_name = any($1::text[]) order by 1",
             {sql_array(work.standbys)})) {
      names.push_back(row[0].value_or(""));
    }
    for (const std::string& name : waited_for(work)) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  };
  WorkStep step =
      edit_step(cluster.conf_file(), cluster, "let commits wait for a standby",
                [=](const std::string& text) { return with_settings(work, streaming(), text); });
  const auto changed = step.done;
  const auto write = step.act;
  const auto restore = step.undo;
  step.done = [=] { return !streaming().empty() && changed(); };
  step.not_yet = [=]() -> std::string {
    if (!streaming().empty()) return "";
    return "no standby streams yet; run this again when one does";
  };
  step.act = [=] {
    write();
    load_files(work);
  };
  step.undo = [=] {
    restore();
    fall_back(work);
  };
  return step;
}

// As they are now, in words of the configuration.
void read_floor(PrimaryWork& work) {
  for (const DbRow& row : work.sql.ask("select name, setting from pg_settings where name in "
                                       "('max_wal_senders', 'max_replication_slots')")) {
    const auto number = parse_number(row[1].value_or(""));
    if (row[0] && number) work.plan.atleast[*row[0]] = static_cast<long long>(*number);
  }
}

}  // namespace

void add_database_steps(WorkPlan& plan, const PrimaryWork& given) {
  PrimaryWork work = given;
  read_floor(work);
  const Cluster& cluster = work.sql.cluster();
  WorkStep conf = edit_step(
      cluster.conf_file(), cluster, "write our lines into " + escape(cluster.conf_file()),
      [=](const std::string& text) { return with_settings(work, waited_for(work), text); });
  WorkStep hba = edit_step(
      cluster.hba_file(), cluster, "write our lines into " + escape(cluster.hba_file()),
      [=](const std::string& text) {
        return with_block(text, primary_hba(work.plan), BlockPlace::Top, cluster.hba_file());
      });
  // Damaged markers are found before anything is done.
  conf.done();
  hba.done();
  // Taken back last, when the other file is as it was.
  conf.undo = [=, restore = conf.undo] {
    restore();
    fall_back(work);
  };
  plan.add(std::move(conf));
  plan.add(std::move(hba));
  plan.add(load_step(work));
  plan.add(group_step(work));
  plan.add(rewind_step(work));
  for (const std::string& standby : work.standbys) {
    plan.add(role_step(work, standby));
    plan.add(slot_step(work, standby));
  }
  if (work.plan.profile == Profile::Synchronous) plan.add(synchronous_step(work));
}

WorkStep copy_step(const std::string& from, const std::string& to, unsigned mode,
                   const Cluster& cluster) {
  WorkStep step;
  step.what = "copy " + escape(from) + " to " + escape(to);
  step.detail = [=] { return "$ cp " + shell_words({from, to}) + "\n"; };
  step.done = [=] {
    const auto source = read_owned(from, cluster);
    return source && read_owned(to, cluster) == source;
  };
  step.act = [=] {
    const auto source = read_owned(from, cluster);
    if (!source) throw Error(Fault::Io, quote(from) + " is missing");
    write_owned(to, *source, mode, cluster);
  };
  return step;
}

}  // namespace xs
