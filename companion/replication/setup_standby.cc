// SPDX-License-Identifier: MIT
#include "companion/replication/setup_standby.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "companion/replication/cluster_lock.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/connection.h"
#include "companion/replication/copy_place.h"
#include "companion/replication/local_sql.h"
#include "companion/replication/node_pki.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/primary_load.h"
#include "companion/replication/served_certificate.h"
#include "companion/replication/standby_steps.h"

namespace xs {
namespace {

constexpr Duration kAskFor = std::chrono::seconds(20);
constexpr std::int64_t kClockMayDiffer = 30;  // seconds

// What the primary says before anything is done.
struct PrimaryFacts {
  std::string system_id;
  std::uint32_t timeline = 0;
  std::int64_t now = 0;
  int major = 0;
  std::uint64_t bytes = 0;  // of its data
  std::string started;
  std::map<std::string, std::string> not_less;
};

Cluster find_own_cluster(const StandbySetup& setup, Clock& clock) {
  Cluster cluster = find_cluster(setup.cluster, clock, setup.roots);
  if (cluster.major < 12) {
    throw Error(Fault::Unsupported, "PostgreSQL " + std::to_string(cluster.major) +
                                        " is too old: 12 or newer is needed");
  }
  return cluster;
}

void check_certificates(const StandbySetup& setup, const Wall& wall) {
  const Bundle& bundle = setup.bundle;
  const CertFiles files{bundle.ca, bundle.certificate, bundle.key, bundle.source.certificate};
  if (bundle.standby.login == Login::Certificate) {
    check_certificate(files, CertUse::Client, bundle.standby.name, wall());
  } else {
    check_certificate(files, CertUse::Server, "", wall());
    if (bundle.password.empty()) {
      throw Error(Fault::Usage, "this profile logs in with a password: give --password-file");
    }
  }
}

// A slot that a copy which has just been killed still holds is free in a moment.
void check_slot(Db& db, const std::string& slot, bool ours, Clock& clock, Instant deadline) {
  const Instant patience = clock.now() + std::chrono::seconds(10);
  const std::string lost = db.server_version() >= 130'000 ? "wal_status = 'lost'" : "false";
  for (;;) {
    const auto rows = db.ask(
        "select active::text, (" + lost + ")::text from pg_replication_slots where slot_name = $1",
        {slot}, deadline);
    if (rows.empty()) {
      throw Error(Fault::Role, "the primary has no slot " + quote(slot) +
                                   ": run `setup primary --standby` for this node there");
    }
    if (rows[0][1] == "true") {
      throw Error(Fault::Refused,
                  "the primary's slot " + quote(slot) +
                      " has lost WAL (max_slot_wal_keep_size), so nothing can follow by it: run "
                      "`setup primary` there once more, which makes it anew, then this with "
                      "--reclone");
    }
    if (rows[0][0] != "true" || ours) return;
    if (clock.now() >= patience) {
      throw Error(Fault::Refused, "another standby uses the slot " + quote(slot) +
                                      " now: has some other node this name?");
    }
    clock.poll({}, clock.now() + std::chrono::milliseconds(200));
  }
}

std::string not_less_query() {
  std::string query = "select name, setting from pg_settings where name in (";
  for (const std::string& name : not_less_settings()) {
    if (query.back() != '(') query += ", ";
    query += sql_text(name);
  }
  return query + ")";
}

std::uint64_t number(const std::optional<std::string>& text) {
  return parse_number(text.value_or("")).value_or(0);
}

PrimaryFacts ask_primary(const StandbySetup& setup, bool slot_is_ours, Clock& clock) {
  const StandbyPlan& plan = setup.bundle.standby;
  const DbTarget target = primary_target(plan, setup.bundle.source, setup.bundle.password);
  const Instant deadline = clock.now() + kAskFor;
  PrimaryFacts facts;
  const Primary::Identity identity = Primary(target, clock, deadline).identify(deadline);
  facts.system_id = identity.system;
  facts.timeline = identity.timeline;
  Db db(target, clock, deadline);
  facts.major = db.server_version() / 10'000;
  const auto rows = db.ask(
      "select floor(extract(epoch from now()))::bigint::text, pg_is_in_recovery()::text, "
      "pg_tablespace_size('pg_default')::text, pg_postmaster_start_time()::text, "
      "(select count(*) from pg_tablespace where spcname not in ('pg_default', 'pg_global'))::text",
      {}, deadline);
  const DbRow& row = rows.at(0);
  facts.now = static_cast<std::int64_t>(number(row.at(0)));
  facts.bytes = number(row.at(2));
  facts.started = row.at(3).value_or("");
  if (row.at(1) != "false") {
    throw Error(Fault::Role, escape(plan.host) + " is a standby itself: give its primary");
  }
  if (row.at(4) != "0") {
    throw Error(Fault::Unsupported,
                "the primary has tablespaces of its own, which would be copied "
                "to the same paths here: set this standby up by hand");
  }
  check_slot(db, plan.slot, slot_is_ours, clock, deadline);
  for (const DbRow& one : db.ask(not_less_query(), {}, deadline)) {
    facts.not_less[one[0].value_or("")] = one[1].value_or("");
  }
  return facts;
}

void check_facts(const StandbySetup& setup, const PrimaryFacts& facts, const Cluster& cluster,
                 const Wall& wall) {
  if (facts.major != cluster.major) {
    throw Error(Fault::Refused, "the primary is PostgreSQL " + std::to_string(facts.major) +
                                    " and this node has " + std::to_string(cluster.major) +
                                    ": both need the same");
  }
  if (!setup.bundle.system_id.empty() && setup.bundle.system_id != facts.system_id) {
    throw Error(Fault::Refused,
                escape(setup.bundle.standby.host) + " is not the database that the bundle is from");
  }
  const std::int64_t off = wall() - facts.now;
  if (std::abs(off) > kClockMayDiffer) {
    throw Error(Fault::Refused, "the clock of this node is " + span_text(std::abs(off)) +
                                    (off > 0 ? " ahead of" : " behind") +
                                    " the primary's: set it right first");
  }
}

// A running server that is no standby: whose data would be put aside?
void check_running(const StandbySetup& setup, const LocalSql& sql, const PrimaryFacts& facts) {
  const auto rows = sql.ask(
      "select pg_is_in_recovery()::text, (select system_identifier::text from "
      "pg_control_system()), "
      "pg_postmaster_start_time()::text, (select count(*) from pg_stat_replication)::text, "
      "(select count(*) from pg_database where datname not in ('postgres', 'template0', "
      "'template1'))::text");
  const DbRow& row = rows.at(0);
  const bool same = row.at(1) == facts.system_id;
  if (row.at(0) == "true") {
    if (same || setup.replace_data) return;
    throw Error(Fault::Refused,
                "this node is a standby of another database: say --replace-data to "
                "put that aside");
  }
  if (same && row.at(2) == facts.started) {
    throw Error(Fault::Refused, "this is the primary itself");
  }
  if (row.at(3) != "0") {
    throw Error(Fault::Refused, "this database is a primary with " + row.at(3).value_or("?") +
                                    " standby(s) connected: it is not overwritten");
  }
  if (same && !setup.reclone) {
    throw Error(Fault::Refused,
                "this database was a primary of the same cluster: bring it back "
                "with `replication rejoin`");
  }
  if (row.at(4) != "0" && !setup.replace_data) {
    throw Error(Fault::Refused, "this database is no standby and holds " + row.at(4).value_or("?") +
                                    " database(s): say --replace-data to put it aside");
  }
}

// A standby whose data is broken answers nobody, and is what --reclone is for. Its control file
// still says whose copy it is.
bool broken_copy(const StandbySetup& setup, const PrimaryFacts& facts, const Cluster& cluster,
                 Clock& clock) {
  return setup.reclone && read_owned(cluster.data + "/standby.signal", cluster) &&
         read_control(cluster, cluster.data, clock).system_id == facts.system_id;
}

void check_stopped(const StandbySetup& setup, const Cluster& cluster, const PrimaryFacts& facts,
                   Clock& clock) {
  const Fd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(cluster.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == EADDRINUSE) {
    throw Error(Fault::Refused, "another program has the port " + std::to_string(cluster.port) +
                                    " of this node, and this cluster does not run");
  }
  if (!read_owned(cluster.data + "/PG_VERSION", cluster)) return;
  std::string system, trouble;
  try {
    system = read_control(cluster, cluster.data, clock).system_id;
  } catch (const Error& error) {
    trouble = " (" + error.text() + ")";
  }
  if (system != facts.system_id) {
    if (setup.replace_data) return;
    throw Error(Fault::Refused, "the database in " + quote(cluster.data) +
                                    ", whose server does not run, is no copy of the primary's" +
                                    trouble + ": say --replace-data to put it aside");
  }
  if (setup.reclone || read_owned(cluster.data + "/standby.signal", cluster)) return;
  throw Error(Fault::Refused,
              "this database was a primary of the same cluster: bring it back with `replication "
              "rejoin`");
}

std::uint64_t free_bytes(const std::string& path) {
  struct statvfs room {};
  if (::statvfs(path.c_str(), &room) != 0) throw_errno("statvfs", path);
  return static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
}

// Before a copy is taken.
void check_disk(const StandbySetup& setup, const Cluster& cluster, const PrimaryFacts& facts) {
  constexpr std::uint64_t kMore = 256U << 20;  // the log that comes with it
  const std::string parent = parent_of(cluster.data);
  directory_user(parent, cluster);
  struct stat data {};
  struct stat above {};
  const AsOwner rights(cluster.user);
  if (::stat(cluster.data.c_str(), &data) == 0 && ::stat(parent.c_str(), &above) == 0 &&
      data.st_dev != above.st_dev) {
    throw Error(Fault::Refused, quote(cluster.data) +
                                    " is a mount point, which cannot be renamed: "
                                    "put the data into a directory below it");
  }
  const std::uint64_t room = setup.room ? setup.room(parent) : free_bytes(parent);
  const std::uint64_t need = facts.bytes + std::max(facts.bytes / 10, kMore);
  if (room < need) {
    throw Error(Fault::Refused, "no room in " + quote(parent) + ": the copy needs " +
                                    std::to_string(need >> 20U) + " MB and " +
                                    std::to_string(room >> 20U) + " MB are free");
  }
}

std::string passfile_line(const StandbyPlan& plan, const std::string& password) {
  const auto escaped = [](const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == ':' || c == '\\') out += '\\';
      out += c;
    }
    return out;
  };
  return escaped(plan.host) + ":" + std::to_string(plan.port) + ":*:" + escaped(plan.name) + ":" +
         escaped(password) + "\n";
}

// One that goes by other files, or without TLS, takes ours with its restart.
bool shows_ours(const StandbyWork& work) {
  const std::string& file = work.plan.pki.certificate;
  const std::string by =
      work.sql.value("select current_setting('ssl') || ' ' || current_setting('ssl_cert_file')");
  return by != "on " + file || shows_certificate(work.sql, file).value_or(true);
}

// A server that cannot load its certificates goes on with the old ones until it is stopped, and
// does not start again.
void require_taken(const StandbyWork& work, const std::vector<std::string>& files) {
  Clock& clock = work.sql.clock();
  const Instant deadline = clock.now() + std::chrono::seconds(30);
  while (!has_read(work.sql, files)) {
    if (clock.now() >= deadline) {
      throw Error(Fault::Timeout, "the server does not read its configuration again");
    }
    clock.poll({}, clock.now() + std::chrono::milliseconds(100));
  }
  if (shows_ours(work)) return;
  throw Error(Fault::Mismatch, "the server does not take the certificate " +
                                   quote(work.plan.pki.certificate) + ": its log says why");
}

// A standby in place goes on with the certificates that it has read. A warm one cannot be asked
// when that was: it is told when this run has changed one.
WorkStep take_step(const StandbyWork& work, const std::vector<std::string>& changed) {
  const Cluster& cluster = work.cluster();
  const PkiPaths& pki = work.plan.pki;
  const std::vector<std::string> files{pki.ca, pki.certificate, pki.key};
  const auto old = [=] {
    std::vector<std::string> bytes;
    bytes.reserve(files.size());
    for (const std::string& file : files) bytes.push_back(read_owned(file, cluster).value_or(""));
    return bytes;
  };
  WorkStep step;
  step.what = "let the server take its certificates";
  step.detail = [=] { return "$ " + command_text(cluster, reload_command(cluster)) + "\n"; };
  step.done = [=, before = old()] {
    if (!profile_row(work.plan.profile).hot) return before == changed;
    return has_read(work.sql, files) && before == changed && shows_ours(work);
  };
  step.act = [=] {
    run_command(cluster, reload_command(cluster), work.sql.clock());
    if (profile_row(work.plan.profile).hot) require_taken(work, files);
  };
  return step;
}

void add_files(WorkPlan& plan, const StandbySetup& setup, const StandbyWork& work) {
  const Cluster& cluster = work.cluster();
  const Bundle& bundle = setup.bundle;
  plan.add(directory_step(setup.pki, 0755, cluster));
  const auto keep = [&](const std::string& path, const std::string& bytes, unsigned mode) {
    return file_step(path, bytes, mode, mode == 0600, cluster, OldFile::Keep);
  };
  WorkStep first = keep(work.plan.pki.ca, bundle.ca, 0644);
  // Taken back last, when a server of old data runs again, with certificates that were ours.
  first.undo = [cluster, sql = work.sql, restore = first.undo] {
    restore();
    if (find_server(cluster)) run_command(cluster, reload_command(cluster), sql.clock());
  };
  plan.add(std::move(first));
  plan.add(keep(work.plan.pki.key, bundle.key, 0600));
  plan.add(keep(work.plan.pki.certificate, bundle.certificate, 0644));
  if (find_server(cluster) && work.in_place()) {
    plan.add(take_step(work, {bundle.ca, bundle.certificate, bundle.key}));
  }
  if (work.plan.login == Login::Password) {
    plan.add(file_step(work.plan.passfile, passfile_line(work.plan, bundle.password), 0600, true,
                       cluster));
  }
}

}  // namespace

WorkPlan plan_standby(const StandbySetup& setup, Clock& clock, const Wall& wall) {
  check_node_name(setup.bundle.standby.name);
  check_certificates(setup, wall);
  const Cluster cluster = find_own_cluster(setup, clock);
  StandbyWork work{
      LocalSql(cluster, clock), setup.bundle.standby,  CopyPlace(cluster), wall,
      setup.bundle.system_id,   setup.bundle.password, setup.reclone,      setup.copy_limit,
      setup.stream_limit};
  work.plan.listen = setup.listen;
  work.plan.pki = PkiPlace{setup.pki, cluster, wall}.paths();
  work.plan.passfile = setup.pki + "/passfile";
  work.place.check();
  if (path_exists(setup.pki)) directory_user(setup.pki, cluster);

  const bool runs = find_server(cluster).has_value();
  const bool standby = read_owned(cluster.data + "/standby.signal", cluster).has_value();
  const PrimaryFacts facts = ask_primary(setup, runs && standby, clock);
  work.system_id = facts.system_id;
  work.timeline = facts.timeline;
  work.plan.primarys = facts.not_less;
  check_facts(setup, facts, cluster, wall);
  // A warm standby answers no questions, and what it is can be seen from outside.
  const bool warm = runs && standby && !profile_row(work.plan.profile).hot;
  if (runs && !warm) {
    try {
      check_running(setup, work.sql, facts);
    } catch (const Error& error) {
      if (error.fault() == Fault::Refused || !broken_copy(setup, facts, cluster, clock)) throw;
    }
  }
  if (!runs && !work.place.swapped()) check_stopped(setup, cluster, facts, clock);
  if (!work.in_place() && !work.place.has("verified", work.mark()))
    check_disk(setup, cluster, facts);

  WorkPlan plan(setup.again);
  plan.hold([=] { return std::make_shared<ClusterLock>(cluster); });
  add_files(plan, setup, work);
  add_standby_steps(plan, work);
  if (!profile_row(work.plan.profile).hot) {
    plan.note("This standby is warm: it follows, and answers nobody until it is promoted.");
  }
  return plan;
}

}  // namespace xs
