// SPDX-License-Identifier: MIT
#include "companion/replication/versions.h"

#include <array>

#include "base/error.h"

namespace xs {
namespace {

struct Names {
  int from;  // the first server version that speaks so
  const char *sent, *write, *flush, *replay;
  const char *position, *file_name, *written;
  const char *received, *replayed;
  const char *is_paused, *pause, *resume;
};

constexpr auto kNames = std::to_array<Names>({
    {90'200, "sent_location", "write_location", "flush_location", "replay_location",
     "pg_current_xlog_location", "pg_xlogfile_name", "pg_current_xlog_location",
     "pg_last_xlog_receive_location", "pg_last_xlog_replay_location", "pg_is_xlog_replay_paused",
     "pg_xlog_replay_pause", "pg_xlog_replay_resume"},
    {90'600, "sent_location", "write_location", "flush_location", "replay_location",
     "pg_current_xlog_flush_location", "pg_xlogfile_name", "pg_current_xlog_location",
     "pg_last_xlog_receive_location", "pg_last_xlog_replay_location", "pg_is_xlog_replay_paused",
     "pg_xlog_replay_pause", "pg_xlog_replay_resume"},
    {100'000, "sent_lsn", "write_lsn", "flush_lsn", "replay_lsn", "pg_current_wal_flush_lsn",
     "pg_walfile_name", "pg_current_wal_lsn", "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn",
     "pg_is_wal_replay_paused", "pg_wal_replay_pause", "pg_wal_replay_resume"},
});

// What came later than the oldest server, and how it was called at first.
constexpr int kSlots = 90'400;
constexpr int kTls = 90'500;
constexpr int kReceiver = 90'600, kControlData = 90'600;
constexpr int kLag = 100'000;
constexpr int kSenderHost = 110'000;
constexpr int kReplyTime = 120'000, kClientDn = 120'000;
constexpr int kSlotLimit = 130'000, kFlushedLsn = 130'000;
constexpr int kPauseState = 140'000;

const Names& names_of(int version) {
  const Names* found = nullptr;
  for (const Names& row : kNames) {
    if (version >= row.from) found = &row;
  }
  if (found == nullptr) {
    throw Error(Fault::Unsupported, "this PostgreSQL (" + std::to_string(version / 10'000) + "." +
                                        std::to_string(version / 100 % 100) +
                                        ") is too old: 9.2 is the oldest that we know");
  }
  return *found;
}

std::string ago(const std::string& time) {
  return "extract(epoch from clock_timestamp() - " + time + ")";
}

// A primary refuses what a standby has, and the other way round.
std::string at_standby(const std::string& value) {
  return "case when pg_is_in_recovery() then " + value + " end";
}
std::string at_primary(const std::string& value) {
  return "case when not pg_is_in_recovery() then " + value + " end";
}

std::string node_sql(const Names& names, int version) {
  const std::string received = std::string(names.received) + "()";
  const std::string replayed = std::string(names.replayed) + "()";
  return "select pg_is_in_recovery(),\n  case when pg_is_in_recovery() then coalesce(" + received +
         ", " + replayed + ") else " + names.position + "() end,\n  " + at_standby(received) +
         ",\n  " + at_standby(replayed) + ",\n  " +
         at_standby(ago("pg_last_xact_replay_timestamp()")) + ",\n  " +
         at_primary(std::string(names.file_name) + "(" + names.written + "())") + ",\n  " +
         (version >= kControlData ? "(select timeline_id from pg_control_checkpoint())" : "null") +
         ",\n  current_setting('synchronous_standby_names'),\n  " +
         (version >= kSlotLimit
              ? "(select setting from pg_settings where name = 'max_slot_wal_keep_size')"
              : "null") +
         ",\n  " +
         (version >= kControlData ? "(select system_identifier from pg_control_system())" : "null");
}

std::string standbys_sql(const Names& names, int version) {
  const auto column = [](const char* name) { return std::string(", r.") + name; };
  const bool tls = version >= kTls;
  return "select r.pid, r.usename, r.application_name, host(r.client_addr), r.client_port, "
         "r.state,\n  " +
         column(names.sent).substr(2) + column(names.write) + column(names.flush) +
         column(names.replay) + ",\n  " +
         (version >= kLag ? "extract(epoch from r.replay_lag)" : "null") +
         ", r.sync_priority, r.sync_state,\n  " +
         (version >= kReplyTime ? ago("r.reply_time") : "null") + ",\n  " +
         (tls ? "case when s.ssl then s.version end, " : "null, ") +
         (!tls                   ? "null"
          : version >= kClientDn ? "s.client_dn"
                                 : "s.clientdn") +
         "\nfrom pg_stat_replication r" +
         (tls ? "\nleft join pg_stat_ssl s on s.pid = r.pid" : "") +
         // Ourselves, asking for a position.
         "\nwhere not (coalesce(r.application_name, '') = 'xroad-companion' and r.state = "
         "'startup')\norder by r.application_name, r.pid";
}

std::string slots_sql(int version) {
  if (version < kSlots) return "";
  return std::string("select slot_name, slot_type, active, restart_lsn, ") +
         (version >= kSlotLimit ? "wal_status, safe_wal_size" : "null, null") +
         "\nfrom pg_replication_slots order by slot_name";
}

std::string receiver_sql(int version) {
  if (version < kReceiver) return "";
  return std::string("select pid, status, ") +
         (version >= kFlushedLsn ? "flushed_lsn" : "received_lsn") + ", received_tli,\n  " +
         ago("last_msg_receipt_time") + ", latest_end_lsn, slot_name, " +
         (version >= kSenderHost ? "sender_host, sender_port" : "null, null") +
         "\nfrom pg_stat_wal_receiver where pid is not null";
}

// 14 tells a pause that is asked for from one that has begun.
std::string progress_sql(const Names& names, int version) {
  return std::string("select ") + names.received + "(), " + names.replayed + "(), " +
         (version >= kPauseState ? std::string("pg_get_wal_replay_pause_state()")
                                 : std::string("case when ") + names.is_paused +
                                       "() then 'paused' else 'not paused' end");
}

}  // namespace

ReplicationSql replication_sql(int server_version) {
  const Names& names = names_of(server_version);
  ReplicationSql sql;
  sql.node = node_sql(names, server_version);
  sql.standbys = standbys_sql(names, server_version);
  sql.slots = slots_sql(server_version);
  sql.receiver = receiver_sql(server_version);
  sql.progress = progress_sql(names, server_version);
  sql.pause_function = std::string(names.pause) + "()";
  sql.resume_function = std::string(names.resume) + "()";
  sql.pause = "select " + sql.pause_function;
  sql.resume = "select " + sql.resume_function;
  return sql;
}

}  // namespace xs
