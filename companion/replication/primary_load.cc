// SPDX-License-Identifier: MIT
#include "companion/replication/primary_load.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"

namespace xs {
namespace {

constexpr Duration kReload = std::chrono::seconds(30);

std::vector<std::string> setting_names(const PrimaryWork& work) {
  std::vector<std::string> names;
  for (const auto& [name, value] : primary_settings(work.plan, work.sql.cluster().major)) {
    names.push_back(name);
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

}  // namespace

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

}  // namespace xs
