// SPDX-License-Identifier: MIT
#include "companion/checks/replication.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "companion/db.h"
#include "companion/wall.h"

namespace xs {
namespace {

// Positions are told as bytes from the beginning of the log, ages as whole seconds.
constexpr const char* kState =
    "select pg_is_in_recovery(), r.pid is not null, r.status, "
    "case when pg_is_in_recovery() then pg_last_wal_receive_lsn() - '0/0' end, "
    "case when pg_is_in_recovery() then pg_last_wal_replay_lsn() - '0/0' end, "
    "r.latest_end_lsn - '0/0', "
    "floor(extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()))::bigint, "
    "floor(extract(epoch from clock_timestamp() - r.last_msg_receipt_time))::bigint "
    "from (select 1) one left join pg_stat_wal_receiver r on true";
// 14 tells a pause that is asked for from one that has begun.
constexpr const char* kPause = "select pg_get_wal_replay_pause_state()";
constexpr const char* kPauseBefore14 =
    "select case when pg_is_wal_replay_paused() then 'paused' else 'not paused' end";

std::optional<std::uint64_t> position(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const auto number = parse_number(*text);
  if (!number) return std::nullopt;
  return *number;
}

// A clock that stepped back makes an age of less than nothing.
std::optional<std::int64_t> age(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  if (text->starts_with('-')) return 0;
  const auto number = parse_number(*text);
  if (!number) return std::nullopt;
  return static_cast<std::int64_t>(std::min<unsigned long long>(*number, INT64_MAX));
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < (20U << 10)) return std::to_string(bytes) + " bytes";
  if (bytes < (20U << 20)) return std::to_string(bytes >> 10U) + " KiB";
  return std::to_string(bytes >> 20U) + " MiB";
}

std::string receiver_trouble(const ReplicationState& state) {
  if (!state.receiver) {
    return "no receiver runs: the primary is not reached, or it refuses this node";
  }
  if (state.receiver_word.empty()) {
    return "the state of the receiver is not shown to this user; at the primary: GRANT pg_monitor "
           "TO it";
  }
  if (state.receiver_word != "streaming") {
    return "the receiver is not streaming but " + quote(state.receiver_word);
  }
  return "";
}

}  // namespace

std::uint64_t ReplicationState::end() const {
  return std::max(received.value_or(0), primary_end.value_or(0));
}

bool ReplicationState::lag_is_known(const ReplicationSettings& settings) const {
  return in_recovery && replayed && receiver && receiver_word == "streaming" && message_ago &&
         *message_ago <= settings.max_silence.count();
}

std::uint64_t ReplicationState::lag_bytes() const {
  if (!replayed) return 0;
  return end() > *replayed ? end() - *replayed : 0;
}

// The time since the last replayed transaction grows on an idle primary without any lag.
std::int64_t ReplicationState::lag_seconds() const {
  return lag_bytes() == 0 || moves ? 0 : replayed_ago.value_or(0);
}

bool only_seconds_fail(const ReplicationState& state, const ReplicationSettings& settings) {
  ReplicationState moving = state;
  moving.moves = true;
  return !judge_replication(state, settings).ok && judge_replication(moving, settings).ok;
}

Verdict judge_replication(const ReplicationState& state, const ReplicationSettings& settings) {
  static constexpr const char* kBroken = "Database replication is not working";
  static constexpr const char* kBehind = "Database replication lags behind";
  static constexpr const char* kPaused = "Database replication is paused";
  if (!state.in_recovery) {
    if (!settings.standby_expected) return {true, "", "this database is a primary"};
    return {false, kBroken, "this database is a primary, and this node is a secondary"};
  }
  const std::string trouble = receiver_trouble(state);
  if (!trouble.empty()) return {false, kBroken, trouble};
  if (!state.replayed || !state.message_ago) {
    return {false, kBroken, "the database does not tell how far it is"};
  }
  if (*state.message_ago > settings.max_silence.count()) {
    return {false, kBroken, "the primary is silent for " + span_text(*state.message_ago)};
  }
  const bool paused = state.pause != "not paused";
  const std::string lag = bytes_text(state.lag_bytes()) + " and " + span_text(state.lag_seconds()) +
                          " behind the primary" +
                          (paused ? ", replay: " + escape(state.pause) : "");
  if (paused && settings.fail_when_paused) return {false, kPaused, lag};
  if (state.lag_bytes() > settings.max_lag_bytes ||
      state.lag_seconds() > settings.max_lag.count()) {
    return {false, kBehind, lag};
  }
  return {true, "", "streaming, " + lag};
}

ReplicationCheck::ReplicationCheck(ReplicationSettings settings) : settings_(std::move(settings)) {}

ReplicationState ReplicationCheck::look(const std::string& db_properties, Clock& clock,
                                        Instant deadline) {
  Db db(read_db_properties(db_properties), clock, deadline);
  const auto rows = db.ask(kState, {}, deadline);
  if (rows.size() != 1 || rows[0].size() != 8) {
    throw Error(Fault::Mismatch, "the database does not tell its replication");
  }
  const DbRow& row = rows[0];
  ReplicationState state;
  state.in_recovery = row[0] == "t";
  state.receiver = row[1] == "t";
  state.receiver_word = row[2].value_or("");
  state.received = position(row[3]);
  state.replayed = position(row[4]);
  state.primary_end = position(row[5]);
  state.replayed_ago = age(row[6]);
  state.message_ago = age(row[7]);
  if (state.in_recovery) {
    const bool fine = db.server_version() >= 140'000;
    const auto pause = db.ask(fine ? kPause : kPauseBefore14, {}, deadline);
    state.pause = pause.empty() ? "" : pause[0].at(0).value_or("");
  }
  return state;
}

Verdict ReplicationCheck::ask(Clock& clock, Instant deadline) {
  constexpr int kLooks = 3;
  constexpr Duration kMoment = std::chrono::milliseconds(200);
  try {
    ReplicationState state = look(settings_.db_properties, clock, deadline);
    // On a primary that was idle, the first bytes of new work look like hours of lag.
    for (int i = 0; i < kLooks && only_seconds_fail(state, settings_); ++i) {
      const std::uint64_t end = state.end();
      clock.poll({}, std::min(deadline, clock.now() + kMoment));
      state = look(settings_.db_properties, clock, deadline);
      state.moves = state.replayed.value_or(0) >= end;
    }
    Verdict verdict = judge_replication(state, settings_);
    if (state.in_recovery && state.replayed) verdict.facts = {{"replay", state.pause}};
    if (state.lag_is_known(settings_)) {
      verdict.measured = {{"lag_bytes", static_cast<double>(state.lag_bytes())},
                          {"lag_seconds", static_cast<double>(state.lag_seconds())}};
    }
    return verdict;
  } catch (const Error& error) {
    if (clock.now() >= deadline) throw Error(Fault::Timeout, error.text());
    return {false, "Database replication is not working", error.text()};
  }
}

}  // namespace xs
