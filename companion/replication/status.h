// SPDX-License-Identifier: MIT
// ReplicationStatus: what this node's database says about its replication, on either side. Read by
// read_replication(), called by the verb `status` and by whoever must know before it changes
// something. Plain values: judged by judge.h, shown by show.h. A number that the server does not
// tell, or does not show to this user, is empty, never 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "companion/db.h"
#include "companion/replication/timeline.h"

namespace xs {

using Position = std::optional<std::uint64_t>;  // bytes from the beginning of the log

struct StandbyLine {
  std::string pid, user, name, address, port;
  std::string state;  // "streaming", "catchup", "backup", ...
  Position sent, write, flush, replay;
  std::optional<double> replay_lag;  // seconds, as the server measures; 10 and newer
  std::string sync_priority, sync_state;
  // Seconds from its clock, when it last spoke, to ours now: below 0 where its clock is ahead. 12
  // and newer.
  std::optional<double> reply_ago;
  std::string tls, tls_subject;  // empty: none

  bool is_backup() const;  // pg_basebackup at work, which is no standby
};

struct SlotLine {
  std::string name, type;
  bool active = false;
  Position restarts_at;
  std::string wal_status;  // "reserved", "extended", "unreserved", "lost"; empty: before 13
  std::optional<std::uint64_t> safe_bytes;  // until it may be lost
};

struct ReceiverLine {
  std::string pid;
  std::string status;  // empty: not shown to this user
  Position flushed, primary_end;
  std::optional<std::uint32_t> timeline;
  std::optional<double> message_ago;
  std::string slot, host, port;
};

// What the primary itself said, asked from a standby.
struct PrimaryAnswer {
  std::string where;
  Position position;
  std::string system;    // empty: not told
  Branch branch;         // timeline 0: not told
  bool standby = false;  // it is none
  std::string trouble;   // instead of all that
};

struct ReplicationStatus {
  std::string where;  // "host:port" of this database
  int version = 0;    // 150018
  bool standby = false;
  bool hidden = false;  // the server does not show this user everything
  std::string user;
  std::string system;  // of initdb; empty: before 9.6
  std::optional<std::uint32_t> timeline;
  Position position;  // flushed here
  std::vector<StandbyLine> standbys;
  std::vector<SlotLine> slots;
  std::string synchronous_names;
  std::optional<std::uint64_t> slot_limit;  // bytes; empty: none, or before 13

  // Of a standby:
  std::optional<ReceiverLine> receiver;  // empty: no receiver runs
  bool receiver_told = true;             // false: this version does not tell
  Position received, replayed;
  std::optional<double> replayed_ago;
  std::string pause;  // "not paused", "pause requested", "paused"
  std::optional<PrimaryAnswer> primary;
  bool moves = false;  // replay has come to where the log ended a moment before

  bool streams() const;
  // The answer is of another cluster, or of a primary whose timeline is not what we receive.
  bool asked_another_cluster() const;
  bool follows_another() const;
  // How far the primary is: by its own word, by that of a receiver that streams, by what came. A
  // standby's word, or another primary's, is none, and neither is what once came.
  Position known_end() const;
  // Of a standby, bytes and seconds behind known_end(); 0 seconds when nothing is missing, or it is
  // just about to come, however long ago the last transaction was.
  std::optional<std::uint64_t> lag_bytes() const;
  std::optional<double> lag_seconds() const;
  // The same of a standby in our list.
  std::optional<std::uint64_t> lag_bytes(const StandbyLine& line) const;
  std::optional<double> lag_seconds(const StandbyLine& line) const;
  std::optional<std::uint64_t> retained(const SlotLine& slot) const;
};

// A few questions, one after the other. Throws what Db::ask() throws, and Unsupported.
ReplicationStatus read_replication(Db& db, const std::string& user, Instant deadline);

// The state of a standby's replay; a primary is Error of class Role.
struct ReplayProgress {
  Position received, replayed;
  std::string pause;
};
ReplayProgress read_progress(Db& db, Instant deadline);

}  // namespace xs
