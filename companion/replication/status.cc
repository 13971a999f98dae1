// SPDX-License-Identifier: MIT
#include "companion/replication/status.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/connection.h"
#include "companion/replication/versions.h"

namespace xs {
namespace {

// The columns of one row by their names.
template <class Column>
class Cells {
 public:
  explicit Cells(const DbRow& row) : row_(row) {
    if (row.size() != static_cast<std::size_t>(Column::Count)) {
      throw Error(Fault::Mismatch, "the database's answer has not the columns that were asked for");
    }
  }
  const std::optional<std::string>& operator[](Column column) const {
    return row_[static_cast<std::size_t>(column)];
  }
  std::string text(Column column) const { return (*this)[column].value_or(""); }
  Position position(Column column) const {
    if (!(*this)[column]) return std::nullopt;
    return parse_lsn(*(*this)[column]);
  }
  std::optional<std::uint64_t> count(Column column) const {
    const auto& cell = (*this)[column];
    return cell ? std::optional<std::uint64_t>(parse_number(*cell)) : std::nullopt;
  }
  // A clock that stepped back makes an age of less than nothing.
  std::optional<double> seconds(Column column) const {
    const auto value = difference(column);
    return value ? std::optional<double>(std::max(*value, 0.0)) : std::nullopt;
  }
  // Of two clocks.
  std::optional<double> difference(Column column) const {
    const auto& cell = (*this)[column];
    if (!cell) return std::nullopt;
    const double value = std::strtod(cell->c_str(), nullptr);
    return std::isfinite(value) ? value : 0.0;
  }

 private:
  const DbRow& row_;
};

std::optional<std::uint32_t> timeline_of(const Cells<NodeColumn>& cells) {
  // The checkpoint's is old for a while after a promotion; the file's name is not.
  const std::string file = cells.text(NodeColumn::TimelineFile);
  if (file.size() > 8) {
    return static_cast<std::uint32_t>(std::strtoul(file.substr(0, 8).c_str(), nullptr, 16));
  }
  const auto number = cells.count(NodeColumn::TimelineNumber);
  if (!number) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

StandbyLine to_standby(const DbRow& row) {
  using C = StandbyColumn;
  const Cells<C> cells(row);
  StandbyLine line;
  line.pid = cells.text(C::Pid);
  line.user = cells.text(C::User);
  line.name = cells.text(C::Name);
  line.address = cells.text(C::Address);
  line.port = cells.text(C::Port);
  line.state = cells.text(C::State);
  line.sent = cells.position(C::Sent);
  line.write = cells.position(C::Write);
  line.flush = cells.position(C::Flush);
  line.replay = cells.position(C::Replay);
  line.replay_lag = cells.seconds(C::ReplayLag);
  line.sync_priority = cells.text(C::SyncPriority);
  line.sync_state = cells.text(C::SyncState);
  line.reply_ago = cells.difference(C::ReplyAgo);
  line.tls = cells.text(C::Tls);
  line.tls_subject = cells.text(C::TlsSubject);
  return line;
}

SlotLine to_slot(const DbRow& row) {
  using C = SlotColumn;
  const Cells<C> cells(row);
  SlotLine slot;
  slot.name = cells.text(C::Name);
  slot.type = cells.text(C::Type);
  slot.active = cells[C::Active] == "t";
  slot.restarts_at = cells.position(C::RestartsAt);
  slot.wal_status = cells.text(C::WalStatus);
  // Below 0: it may be lost at the next checkpoint.
  const std::string safe = cells.text(C::SafeBytes);
  slot.safe_bytes = safe.starts_with('-') ? 0 : cells.count(C::SafeBytes);
  return slot;
}

ReceiverLine to_receiver(const DbRow& row) {
  using C = ReceiverColumn;
  const Cells<C> cells(row);
  ReceiverLine line;
  line.pid = cells.text(C::Pid);
  line.status = cells.text(C::Status);
  line.flushed = cells.position(C::Flushed);
  line.primary_end = cells.position(C::PrimaryEnd);
  if (const auto number = cells.count(C::Timeline)) {
    line.timeline = static_cast<std::uint32_t>(*number);
  }
  line.message_ago = cells.seconds(C::MessageAgo);
  line.slot = cells.text(C::Slot);
  line.host = cells.text(C::Host);
  line.port = cells.text(C::Port);
  return line;
}

void read_node(Db& db, const ReplicationSql& sql, ReplicationStatus& status, Instant deadline) {
  using C = NodeColumn;
  const auto rows = db.ask(sql.node, {}, deadline);
  if (rows.size() != 1) throw Error(Fault::Mismatch, "the database does not tell what it is");
  const Cells<C> cells(rows[0]);
  status.standby = cells[C::InRecovery] == "t";
  status.position = cells.position(C::Flushed);
  status.received = cells.position(C::Received);
  status.replayed = cells.position(C::Replayed);
  status.replayed_ago = cells.seconds(C::ReplayedAgo);
  status.timeline = timeline_of(cells);
  status.system = cells.text(C::System);
  status.synchronous_names = cells.text(C::SyncNames);
  const auto limit = cells.count(C::SlotLimit);  // "-1" is no number
  if (limit) status.slot_limit = *limit << 20U;
}

void read_receiver(Db& db, const ReplicationSql& sql, ReplicationStatus& status, Instant deadline) {
  status.receiver_told = !sql.receiver.empty();
  if (!status.receiver_told) return;
  const auto rows = db.ask(sql.receiver, {}, deadline);
  if (rows.empty()) return;
  status.receiver = to_receiver(rows[0]);
  status.hidden |= status.receiver->status.empty();
  if (status.receiver->timeline) status.timeline = status.receiver->timeline;
}

std::optional<std::uint64_t> distance(const Position& end, const Position& begin) {
  if (!end || !begin) return std::nullopt;
  return *end > *begin ? *end - *begin : 0;
}

}  // namespace

bool StandbyLine::is_backup() const { return state == "backup" || name == "pg_basebackup"; }

bool ReplicationStatus::streams() const { return receiver && receiver->status == "streaming"; }

bool ReplicationStatus::asked_another_cluster() const {
  return primary && !primary->system.empty() && !system.empty() && primary->system != system;
}

bool ReplicationStatus::follows_another() const {
  if (!primary || primary->branch.timeline == 0 || !streams() || !receiver->timeline) return false;
  return *receiver->timeline != primary->branch.timeline &&
         !leads_to(primary->branch, *receiver->timeline, received.value_or(0));
}

Position ReplicationStatus::known_end() const {
  const bool told = primary && primary->position;
  if (told && (primary->standby || asked_another_cluster() || follows_another())) {
    return std::nullopt;
  }
  if (!told && !streams()) return std::nullopt;
  Position end = received;
  const auto raise = [&end](const Position& other) {
    if (other && (!end || *other > *end)) end = other;
  };
  raise(replayed);
  if (streams()) raise(receiver->primary_end);
  if (told) raise(primary->position);
  return end;
}

std::optional<std::uint64_t> ReplicationStatus::lag_bytes() const {
  return distance(known_end(), replayed);
}

std::optional<double> ReplicationStatus::lag_seconds() const {
  const auto bytes = lag_bytes();
  if (!bytes) return std::nullopt;
  return *bytes == 0 || moves ? 0.0 : replayed_ago;
}

std::optional<std::uint64_t> ReplicationStatus::lag_bytes(const StandbyLine& line) const {
  return distance(position, line.replay);
}

std::optional<double> ReplicationStatus::lag_seconds(const StandbyLine& line) const {
  const auto bytes = lag_bytes(line);
  if (!bytes) return std::nullopt;
  return *bytes == 0 ? 0.0 : line.replay_lag;
}

std::optional<std::uint64_t> ReplicationStatus::retained(const SlotLine& slot) const {
  return distance(position, slot.restarts_at);
}

ReplicationStatus read_replication(Db& db, const std::string& user, Instant deadline) {
  const ReplicationSql sql = replication_sql(db.server_version());
  ReplicationStatus status;
  status.where = db.host();
  status.user = user;
  status.version = db.server_version();
  read_node(db, sql, status, deadline);
  for (const DbRow& row : db.ask(sql.standbys, {}, deadline)) {
    status.standbys.push_back(to_standby(row));
    status.hidden |= status.standbys.back().state.empty();
  }
  if (!sql.slots.empty()) {
    for (const DbRow& row : db.ask(sql.slots, {}, deadline)) status.slots.push_back(to_slot(row));
  }
  if (!status.standby) return status;
  read_receiver(db, sql, status, deadline);
  status.pause = read_progress(db, deadline).pause;
  return status;
}

ReplayProgress read_progress(Db& db, Instant deadline) {
  const auto recovery = db.ask("select pg_is_in_recovery()", {}, deadline);
  if (recovery.empty() || recovery[0][0] != "t") {
    throw Error(Fault::Role,
                "this database (" + escape(db.host()) + ") is a primary: nothing is replayed here");
  }
  const auto rows = db.ask(replication_sql(db.server_version()).progress, {}, deadline);
  if (rows.size() != 1 || rows[0].size() != 3) {
    throw Error(Fault::Mismatch, "the database does not tell its replay");
  }
  const auto position = [&](std::size_t i) -> Position {
    return rows[0][i] ? Position(parse_lsn(*rows[0][i])) : std::nullopt;
  };
  return {position(0), position(1), rows[0][2].value_or("")};
}

}  // namespace xs
