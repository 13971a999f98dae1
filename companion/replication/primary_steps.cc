// SPDX-License-Identifier: MIT
#include "companion/replication/primary_steps.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/primary_before.h"
#include "companion/replication/primary_load.h"
#include "companion/replication/primary_roles.h"

namespace xs {
namespace {

// Our lines in the file as it is.
std::string with_settings(const PrimaryWork& work, const std::vector<std::string>& waited_for,
                          const std::string& text) {
  PrimaryPlan plan = work.plan;
  plan.synchronous = waited_for;
  const Cluster& cluster = work.sql.cluster();
  return with_block(text, conf_lines(primary_settings(plan, cluster.major)), BlockPlace::End,
                    cluster.conf_file());
}

// Whom commits wait for, by our lines as they are now, or else by those that were there before us:
// a second run takes nobody out whom it was not told to.
std::vector<std::string> waited_for(const PrimaryWork& work) {
  const Cluster& cluster = work.sql.cluster();
  if (work.plan.profile != Profile::Synchronous) return {};
  const auto text = read_owned(cluster.conf_file(), cluster).value_or("");
  const auto block = find_block(text, cluster.conf_file());
  const auto now = conf_value(block.value_or(""), "synchronous_standby_names");
  const bool ours = now && !conf_value(*block, "primary_conninfo");
  std::vector<std::string> names = ours ? synchronous_names(*now) : work.plan.synchronous;
  std::erase_if(names, [&](const std::string& name) {
    return name == "*" || std::find(work.drop.begin(), work.drop.end(), name) != work.drop.end();
  });
  return names;
}

// `promote` has emptied it for this node alone, and that is stronger than our lines.
constexpr const char* kReset = "SQL alter system reset synchronous_standby_names";

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
  // One that comes or goes while we write is the next run's.
  const auto chosen = std::make_shared<std::optional<std::vector<std::string>>>();
  WorkStep step = edit_step(cluster.conf_file(), cluster, "let commits wait for a standby",
                            [=](const std::string& text) {
                              return with_settings(work, *chosen ? **chosen : streaming(), text);
                            });
  const auto changed = step.done;
  const auto write = step.act;
  const auto restore = step.undo;
  const auto waits = [=] {
    return work.sql.value("select current_setting('synchronous_standby_names')") ==
           synchronous_setting(streaming());
  };
  step.done = [=] { return !streaming().empty() && changed() && waits(); };
  step.detail = [=, diff = step.detail] {
    return diff() + (emptied_by_auto_conf(work.sql) ? kReset + std::string("\n") : "");
  };
  step.not_yet = [=]() -> std::string {
    if (!streaming().empty()) return "";
    return "no standby streams yet; run this again when one does";
  };
  const auto emptied = std::make_shared<bool>(false);
  step.act = [=] {
    // Before our lines, so that a run that is killed in between is no riddle for the next one.
    if (emptied_by_auto_conf(work.sql)) {
      *emptied = true;
      work.sql.ask("alter system reset synchronous_standby_names");
    }
    *chosen = streaming();
    write();
    load_files(work);
    check_waits(work, **chosen);
  };
  step.undo = [=] {
    if (*emptied) work.sql.ask("alter system set synchronous_standby_names = ''");
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
  check_overruled(work);
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
