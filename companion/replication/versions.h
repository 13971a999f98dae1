// SPDX-License-Identifier: MIT
// What PostgreSQL calls its replication, version by version: one table of names (xlog and location
// before 10), and the questions made of it. Called by status.cc and control.cc, which read the
// columns by the enums here: a column that a version does not have is a null of the same place.
// Servers from 9.2 on, as the guide's oldest; the newest row serves everything newer.
#pragma once

#include <cstddef>
#include <string>

namespace xs {

inline constexpr int kOldestServer = 90'200;

struct ReplicationSql {
  std::string node;      // one row, NodeColumn
  std::string standbys;  // a row each, StandbyColumn
  std::string slots;     // a row each, SlotColumn; empty: this version has none
  std::string receiver;  // at most a row, ReceiverColumn; empty: not shown by this version
  std::string progress;  // one row of a standby: received, replayed, pause (three states)
  std::string pause;
  std::string resume;
  std::string pause_function, resume_function;  // for a GRANT
};

enum class NodeColumn : std::size_t {
  InRecovery,
  Flushed,         // flushed; of a standby: received or replayed
  Received,        // of a standby
  Replayed,        // of a standby
  ReplayedAgo,     // seconds since the last transaction that was replayed
  TimelineFile,    // of a primary: its segment's name begins with it, in hex
  TimelineNumber,  // at the last checkpoint
  SyncNames,
  SlotLimit,  // max_slot_wal_keep_size, MB; -1: none
  System,     // of initdb, the same on all copies
  Count
};
enum class StandbyColumn : std::size_t {
  Pid,
  User,
  Name,
  Address,
  Port,
  State,
  Sent,
  Write,
  Flush,
  Replay,
  ReplayLag,  // seconds
  SyncPriority,
  SyncState,
  ReplyAgo,  // seconds, by the standby's clock then and ours now
  Tls,       // its version; null: none
  TlsSubject,
  Count
};
enum class SlotColumn : std::size_t { Name, Type, Active, RestartsAt, WalStatus, SafeBytes, Count };
enum class ReceiverColumn : std::size_t {
  Pid,
  Status,
  Flushed,
  Timeline,
  MessageAgo,  // seconds
  PrimaryEnd,
  Slot,
  Host,
  Port,
  Count
};

// Throws Unsupported for a server that is older than kOldestServer.
ReplicationSql replication_sql(int server_version);

}  // namespace xs
