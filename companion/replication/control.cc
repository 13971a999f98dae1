// SPDX-License-Identifier: MIT
#include "companion/replication/control.h"

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/show.h"
#include "companion/replication/versions.h"
#include "companion/wall.h"

namespace xs {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPoll = 100ms;
// A receiver calls itself streaming before the primary has agreed: one that is refused (no slot, no
// WAL) is gone after this.
constexpr Duration kSettled = 300ms;
constexpr const char* kRunning = "not paused";
constexpr const char* kPaused = "paused";
constexpr int kTellsState = 140'000;
constexpr Duration kStill = 1s;
// A question to our own database may outlast the deadline a little: its answer is the reason.
constexpr Duration kForTheReason = 2s;

[[noreturn]] void refuse_rights(const Error& error, const ReplicationSql& sql) {
  throw Error(Fault::Auth, error.text() + "; at the primary: GRANT EXECUTE ON FUNCTION " +
                               sql.pause_function + ", " + sql.resume_function +
                               " TO the user that we log in as");
}

ReplayChange change(Db& db, Clock& clock, Instant deadline, const std::string& wanted) {
  const ReplicationSql sql = replication_sql(db.server_version());
  const Instant end = deadline + kForTheReason;
  Standstill still(db.server_version());
  ReplayChange done{false, read_progress(db, end)};
  const auto reached = [&] {
    const bool there =
        done.now.pause == wanted && (wanted == kRunning || still.stands(done.now, clock.now()));
    done.seen = still.seen();
    return there;
  };
  if (reached()) return done;
  if (done.now.pause != wanted) {
    try {
      db.ask(wanted == kRunning ? sql.resume : sql.pause, {}, end);
    } catch (const Error& error) {
      if (error.text().starts_with("42501")) refuse_rights(error, sql);
      throw;
    }
    done.changed = true;
  }
  for (;;) {
    done.now = read_progress(db, end);
    if (reached()) return done;
    if (clock.now() >= deadline) {
      throw Error(Fault::Timeout, "replay should be '" + wanted + "' and is " +
                                      quote(done.now.pause) +
                                      " when the time is over (a long query of this standby can "
                                      "hold it up); the request stands");
    }
    clock.poll({}, std::min(clock.now() + kPoll, deadline));
  }
}

std::string kept_here(Db& db, Instant deadline) {
  const ReplayProgress now = read_progress(db, deadline);
  const std::uint64_t waiting = now.received && now.replayed && *now.received > *now.replayed
                                    ? *now.received - *now.replayed
                                    : 0;
  std::string text =
      "while replay is paused, pg_wal of this node grows by all that the primary "
      "writes: " +
      bytes_text(waiting) + " wait now";
  if (db.server_version() < 100'000) return text;
  try {
    const auto rows = db.ask("select sum(size)::bigint from pg_ls_waldir()", {}, deadline);
    const auto size = rows.empty() || !rows[0][0] ? std::nullopt : parse_number(*rows[0][0]);
    if (size) text += ", and it holds " + bytes_text(*size);
  } catch (const Error& error) {
    if (error.fault() != Fault::Mismatch) throw;  // not shown to this user
  }
  return text;
}

std::string slot_of(Db& db, Instant deadline) {
  const ReplicationSql sql = replication_sql(db.server_version());
  if (sql.receiver.empty()) return "";
  const auto rows = db.ask(sql.receiver, {}, deadline);
  return rows.empty() ? ""
                      : rows[0].at(static_cast<std::size_t>(ReceiverColumn::Slot)).value_or("");
}

std::string kept_there(Primary& primary, const std::string& slot, Instant deadline) {
  constexpr const char* kBeyond = "; what needs more must be set up anew";
  if (slot.empty()) {
    std::string kept = primary.show("wal_keep_size", deadline);
    if (kept.empty()) {  // before 13, or before 10, where nobody tells us
      const std::string segments = primary.show("wal_keep_segments", deadline);
      kept = segments.empty() ? "wal_keep_segments" : segments + " segments";
    }
    return "this node has no slot: when it is cut off or stopped, the primary keeps " +
           escape(kept) + " of WAL for it" + kBeyond;
  }
  const std::string limit = primary.show("max_slot_wal_keep_size", deadline);
  if (limit.empty() || limit == "-1") {
    return "slot " + quote(slot) +
           " has no limit (max_slot_wal_keep_size): when this node is cut "
           "off or stopped, WAL fills the primary's disk";
  }
  return "slot " + quote(slot) + " keeps at most " + escape(limit) +
         " of WAL at the primary when this node is cut off or stopped" + kBeyond;
}

// One wait_for_primary().
class Wait {
 public:
  Wait(Db& db, const DbTarget& target, Clock& clock, const WaitTimes& times)
      : db_(db), target_(target), clock_(clock), times_(times), followed_(clock.now()) {}

  CaughtUp run(const std::function<void(const std::string&)>& tell) {
    ask_primary();
    const Instant begin = clock_.now();
    for (Instant spoken = begin;;) {
      const ReplicationStatus status = read_replication(db_, "", end());
      if (is_there(status)) return {where_, goal_};
      if (clock_.now() - spoken >= 1s) {
        spoken = clock_.now();
        tell(words(status));
      }
      if (clock_.now() >= times_.deadline) {
        throw Error(Fault::Timeout, "this standby did not catch up in time: " + words(status));
      }
      clock_.poll({}, std::min(clock_.now() + kPoll, times_.deadline));
    }
  }

 private:
  Instant end() const { return times_.deadline + kForTheReason; }

  // The goal is kept as long as the primary is: one that is written to all the time would never be
  // reached. Positions of two timelines cannot be compared, so a new one is a new goal.
  void ask_primary() {
    Primary primary(target_, clock_, std::min(clock_.now() + 5s, end()));
    const Primary::Identity identity = primary.identify(std::min(clock_.now() + 5s, end()));
    where_ = primary.where();
    if (identity.standby) {
      throw Error(Fault::Role, "the primary (" + where_ +
                                   ") is a standby itself: say with --primary "
                                   "where the writing one is");
    }
    their_system_ = identity.system;
    judge_cluster();
    if (branch_.timeline != identity.timeline) {
      branch_ = {identity.timeline,
                 primary.history(identity.timeline, std::min(clock_.now() + 5s, end()))};
      goal_ = identity.flushed;
    }
    heard_ = clock_.now();
  }

  void judge_cluster() const {
    if (system_.empty() || system_ == their_system_) return;
    throw Error(Fault::Mismatch, where_ + " is the primary of another cluster (system " +
                                     escape(their_system_) + ", here " + escape(system_) + ")");
  }

  bool is_there(const ReplicationStatus& status) {
    if (!status.standby) throw Error(Fault::Role, "this database has become a primary");
    system_ = status.system;
    judge_cluster();
    if (status.pause != kRunning) {
      throw Error(Fault::Paused, "replay is " + escape(status.pause) +
                                     ", so this standby cannot catch up: resume it first");
    }
    if (status.receiver && status.receiver->status.empty()) {
      throw Error(Fault::Auth,
                  "the state of the receiver is not shown to this user; at the "
                  "primary: GRANT pg_monitor TO it");
    }
    const bool streams = has_settled(status);
    const bool astray = goes_astray(status);
    const bool follows = streams && has_timeline(status);
    const bool moved = has_moved(status);
    if (follows || (moved && !astray)) followed_ = clock_.now();
    if (follows && status.replayed && *status.replayed >= goal_) return is_still_primary();
    if (!follows) judge_receiver(status, astray || !streams);
    if (follows && status.receiver && status.receiver->message_ago) judge_silence(status);
    return false;
  }

  bool has_settled(const ReplicationStatus& status) {
    if (!status.receiver_told) return true;
    if (!status.streams()) {
      receiver_.clear();
      return false;
    }
    if (receiver_ != status.receiver->pid) {
      receiver_ = status.receiver->pid;
      seen_ = clock_.now();
    }
    return clock_.now() - seen_ >= kSettled;
  }

  bool has_timeline(const ReplicationStatus& status) const {
    return !status.receiver_told || status.receiver->timeline == branch_.timeline;
  }

  // It receives what the primary that we asked never had, or has left behind: it follows another
  // one, or ours is a new one by now.
  bool goes_astray(const ReplicationStatus& status) {
    const auto strays = [&] {
      return status.streams() && status.receiver->timeline && !has_timeline(status) &&
             !leads_to(branch_, *status.receiver->timeline, status.received.value_or(0));
    };
    if (strays() && clock_.now() - heard_ >= 1s) ask_primary();
    return strays();
  }

  // One that has much to read, of its own log or of an earlier timeline, is on its way.
  bool has_moved(const ReplicationStatus& status) {
    const std::uint64_t received = status.received.value_or(0);
    const std::uint64_t replayed = status.replayed.value_or(0);
    const bool moved = received > received_ || replayed > replayed_;
    received_ = std::max(received_, received);
    replayed_ = std::max(replayed_, replayed);
    return moved;
  }

  // In the meantime another one may have been promoted, which the old one's receiver is not told.
  bool is_still_primary() {
    if (clock_.now() - heard_ < 1s) return true;
    const std::uint32_t timeline = branch_.timeline;
    ask_primary();
    return branch_.timeline == timeline;
  }

  // A receiver that was cut off comes back within seconds (wal_retrieve_retry_interval), and after
  // a promotion it takes a moment to the new timeline.
  void judge_receiver(const ReplicationStatus& status, bool hopeless) {
    const bool late = hopeless && clock_.now() >= times_.deadline;
    if (clock_.now() - followed_ < times_.patience && !late) return;
    ask_primary();  // the better reason, when it is gone
    if (status.streams()) {
      if (has_timeline(status)) return;
      throw Error(Fault::Mismatch, other_primary_text(*status.receiver, where_, branch_.timeline));
    }
    const std::string word = status.receiver ? quote(status.receiver->status) : "not running";
    throw Error(Fault::Mismatch, "the receiver does not stream (it is " + word + "), though " +
                                     where_ + " answers: see the log of PostgreSQL here");
  }

  // What is missing cannot come from a primary that hangs.
  void judge_silence(const ReplicationStatus& status) {
    const double patience = std::chrono::duration<double>(times_.patience).count();
    const bool silent = *status.receiver->message_ago > patience;
    if (!silent && clock_.now() < times_.deadline) return;
    if (clock_.now() - asked_ < times_.patience && clock_.now() < times_.deadline) return;
    asked_ = clock_.now();
    ask_primary();
  }

  std::string words(const ReplicationStatus& status) const {
    const std::uint64_t at = status.replayed.value_or(0);
    return "replayed " + lsn_text(at) + ", " + bytes_text(goal_ > at ? goal_ - at : 0) +
           " before " + lsn_text(goal_) + " of " + where_ +
           (status.receiver ? "" : ", no receiver runs");
  }

  Db& db_;
  const DbTarget& target_;
  Clock& clock_;
  const WaitTimes& times_;
  Instant followed_;      // when it last did, or was on its way
  Instant asked_{};       // because of its silence
  Instant heard_{};       // the primary's last answer
  std::string receiver_;  // its pid
  Instant seen_{};
  std::uint64_t received_ = 0, replayed_ = 0;
  std::string where_, their_system_, system_;
  Branch branch_;  // of the primary, as is the goal
  std::uint64_t goal_ = 0;
};

}  // namespace

bool Standstill::stands(const ReplayProgress& now, Instant at) {
  if (now.pause != kPaused) return false;
  if (version_ >= kTellsState) return true;
  if (!since_ || position_ != now.replayed) {
    position_ = now.replayed;
    since_ = at;
  }
  seen_ = now.received && now.replayed && *now.received > *now.replayed;
  return at - *since_ >= kStill;
}

ReplayChange pause_replay(Db& db, Clock& clock, Instant deadline) {
  return change(db, clock, deadline, kPaused);
}

ReplayChange resume_replay(Db& db, Clock& clock, Instant deadline) {
  return change(db, clock, deadline, kRunning);
}

std::vector<std::string> pause_costs(Db& db, const ReplicationAccess& access, Clock& clock,
                                     Instant deadline) {
  std::vector<std::string> costs{kept_here(db, deadline)};
  try {
    Primary primary(find_primary(db, access, deadline), clock, deadline);
    costs.push_back(kept_there(primary, slot_of(db, deadline), deadline));
  } catch (const Error& error) {
    costs.push_back("what the primary keeps cannot be seen: " + error.text());
  }
  return costs;
}

CaughtUp wait_for_primary(Db& db, const ReplicationAccess& access, Clock& clock,
                          const WaitTimes& times,
                          const std::function<void(const std::string&)>& tell) {
  const DbTarget target = find_primary(db, access, times.deadline);
  return Wait(db, target, clock, times).run(tell);
}

ReplicationStatus read_settled(Db& db, const std::string& user, Clock& clock, Instant deadline) {
  constexpr int kRounds = 3;  // one that was cut off just now comes back
  ReplicationStatus status = read_replication(db, user, deadline);
  for (int i = 0; i < kRounds; ++i) {
    if (!status.standby || !status.receiver || status.receiver->status != "streaming") {
      return status;
    }
    const std::string pid = status.receiver->pid;
    clock.poll({}, std::min(clock.now() + kSettled, deadline));
    status = read_replication(db, user, deadline);
    if (status.receiver && status.receiver->pid == pid) return status;
  }
  if (status.receiver) status.receiver->status = "restarting";
  return status;
}

void look_again(Db& db, ReplicationStatus& status, double enough, Clock& clock, Instant deadline) {
  constexpr int kLooks = 4;
  constexpr Duration kMoment = 200ms;
  const Position end = status.known_end();
  for (int i = 0; i < kLooks && status.lag_seconds().value_or(0) > enough; ++i) {
    if (clock.now() + kMoment >= deadline) return;
    if (i > 0) clock.poll({}, clock.now() + kMoment);
    const ReplayProgress now = read_progress(db, deadline);
    status.received = now.received;
    status.replayed = now.replayed;
    status.pause = now.pause;
    status.moves = end && now.replayed && *now.replayed >= *end;
  }
}

}  // namespace xs
