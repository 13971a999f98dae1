// SPDX-License-Identifier: MIT
#include "companion/replication/primary_load.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/served_certificate.h"

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

// Settings that somebody else's line, or the command line, decides otherwise than we. By what the
// files say now, also where the server has yet to take it. `which`: of the last lines of a name.
std::string overruled(const PrimaryWork& work, const char* which) {
  std::vector<std::string> names, values;
  for (const auto& [name, value] : primary_settings(work.plan, work.sql.cluster().major)) {
    names.push_back(name);
    values.push_back(value);
  }
  const auto rows = work.sql.ask(
      std::string("with ours as (select * from unnest($1::text[], $2::text[]) o (name, value)), "
                  "line as (select distinct on (lower(name)) lower(name) as name, setting, "
                  "sourcefile, sourcefile || ':' || sourceline as place from pg_file_settings "
                  "order by lower(name), seqno desc) "
                  "select o.name || ' (by ' || coalesce(place, 'nobody') || ')' from ours o "
                  "left join line using (name) where setting is distinct from value and (") +
          which +
          ") union all select s.name || ' (by ' || s.source || ')' from pg_settings s join ours o "
          "using (name) where s.source in ('command line', 'override', 'database', 'user', "
          "'database user') and current_setting(s.name) <> o.value order by 1",
      {sql_array(names), sql_array(values), work.sql.cluster().conf_file()});
  std::string all;
  for (const DbRow& row : rows) all += (all.empty() ? "" : ", ") + escape(row[0].value_or(""));
  return all;
}

// Once our lines are there, before that, and for whether they are.
constexpr const char* kNotOurs = "sourcefile <> $3";
constexpr const char* kStronger = "sourcefile <> $3 and sourcefile like '%/postgresql.auto.conf'";
constexpr const char* kUntold = "sourcefile is null or sourcefile <> $3";

void refuse_overruled(const PrimaryWork& work, const char* which) {
  const std::string others = overruled(work, which);
  if (others.empty()) return;
  throw Error(Fault::Refused, "these settings are decided elsewhere than in our lines of " +
                                  quote(work.sql.cluster().conf_file()) + ": " + others +
                                  " (a line of postgresql.auto.conf goes by ALTER SYSTEM RESET)");
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

// When the bytes behind this name became what they are; a file that was moved here keeps its time
// of modification. 0: there is none.
std::uint64_t changed_at(const std::string& file) {
  struct stat st {};
  if (::stat(file.c_str(), &st) != 0) return 0;
  const auto milliseconds = [](const timespec& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1000 +
           static_cast<std::uint64_t>(time.tv_nsec) / 1'000'000;
  };
  return std::max(milliseconds(st.st_mtim), milliseconds(st.st_ctim));
}

}  // namespace

bool has_read(const LocalSql& sql, const std::vector<std::string>& files) {
  const auto at =
      sql.value("select floor(extract(epoch from pg_conf_load_time()) * 1000)::bigint::text");
  const std::uint64_t milliseconds = parse_number(at).value_or(0);
  return std::all_of(files.begin(), files.end(),
                     [&](const std::string& file) { return changed_at(file) <= milliseconds; });
}

void check_overruled(const PrimaryWork& work) { refuse_overruled(work, kStronger); }

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

void check_waits(const PrimaryWork& work, const std::vector<std::string>& standbys) {
  const std::string is = work.sql.value("select current_setting('synchronous_standby_names')");
  if (is == synchronous_setting(standbys)) return;
  const std::string place = work.sql.value(
      "select coalesce((select sourcefile || ':' || sourceline from pg_file_settings where "
      "lower(name) = 'synchronous_standby_names' order by seqno desc limit 1), 'nobody')");
  throw Error(Fault::Refused,
              "commits do not wait as our lines of " + quote(work.sql.cluster().conf_file()) +
                  " say: synchronous_standby_names is " + quote(is) + ", by " + escape(place) +
                  ": take that line out (one of postgresql.auto.conf: ALTER SYSTEM RESET "
                  "synchronous_standby_names)");
}

bool emptied_by_auto_conf(const LocalSql& sql) {
  return sql.value(
             "select coalesce((select setting = '' from pg_file_settings where lower(name) = "
             "'synchronous_standby_names' and sourcefile like '%/postgresql.auto.conf' "
             "order by seqno desc limit 1), false)::text") == "true";
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
  step.done = [=] {
    const PkiPaths& pki = work.plan.pki;
    return has_read(work.sql,
                    {cluster.conf_file(), cluster.hba_file(), pki.ca, pki.certificate, pki.key}) &&
           !wants_restart(work) && overruled(work, kUntold).empty() &&
           shows_certificate(work.sql, pki.certificate).value_or(true);
  };
  step.act = [=] {
    load_files(work);
    refuse_overruled(work, kNotOurs);
    if (wants_restart(work)) run_command(cluster, restart_command(cluster), work.sql.clock());
    if (!work.sql.says("select 1", {}, "1", kReload)) {
      throw Error(Fault::Timeout, "the server does not answer after its restart");
    }
    refuse_overruled(work, kNotOurs);
    const std::string& certificate = work.plan.pki.certificate;
    if (!shows_certificate(work.sql, certificate).value_or(true)) {
      throw Error(Fault::Mismatch, "the server does not take the certificate " +
                                       quote(certificate) +
                                       ": its log says why. It goes on as it was, and would not "
                                       "start again after a stop");
    }
  };
  return step;
}

}  // namespace xs
