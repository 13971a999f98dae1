// SPDX-License-Identifier: MIT
#include "companion/replication/judge.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "companion/probes.h"
#include "companion/replication/show.h"
#include "companion/wall.h"

namespace xs {
namespace {

using Findings = std::vector<Judgement>;

int rank(Health health) {
  switch (health) {
    case Health::Ok: return 0;
    case Health::Unknown: return 1;
    case Health::Warning: return 2;
    case Health::Critical: return 3;
  }
  return 3;
}

bool beyond(const LagLimit& limit, const std::optional<std::uint64_t>& bytes,
            const std::optional<double>& seconds) {
  return (limit.bytes && bytes && *bytes > *limit.bytes) ||
         (limit.seconds && seconds && *seconds > *limit.seconds);
}

Health judge_lag(const ReplicationLimits& limits, const std::optional<std::uint64_t>& bytes,
                 const std::optional<double>& seconds) {
  if (beyond(limits.crit, bytes, seconds)) return Health::Critical;
  return beyond(limits.warn, bytes, seconds) ? Health::Warning : Health::Ok;
}

void judge_hidden(const ReplicationStatus& status, Findings& findings) {
  if (!status.hidden) return;
  findings.push_back({Health::Unknown, "the state of replication is not shown to " +
                                           quote(status.user) +
                                           ": at the primary, GRANT "
                                           "pg_monitor TO it"});
}

void judge_receiver(const ReplicationStatus& status, const ReplicationLimits& limits,
                    Findings& findings) {
  if (!status.receiver_told) return;
  if (!status.receiver) {
    findings.push_back({Health::Critical,
                        "no receiver runs: the primary is not reached, or it refuses this node "
                        "(see the log of PostgreSQL)"});
    return;
  }
  const ReceiverLine& receiver = *status.receiver;
  if (receiver.status.empty()) return;  // hidden
  if (receiver.status != "streaming") {
    findings.push_back(
        {Health::Critical, "the receiver is not streaming but " + quote(receiver.status)});
  }
  if (receiver.message_ago && *receiver.message_ago > limits.silence) {
    findings.push_back(
        {Health::Critical, "the primary is silent for " +
                               span_text(static_cast<std::int64_t>(*receiver.message_ago))});
  }
}

// Of a standby, what a slot is for is not known here: an old primary brings its own along.
std::string slot_mend(const ReplicationStatus& status, const SlotLine& slot) {
  if (!status.standby) {
    return "set the standby up anew (`setup primary` here, then `setup standby --reclone` there)";
  }
  return "unless something follows this node, select pg_drop_replication_slot(" + quote(slot.name) +
         ")";
}

void judge_slots(const ReplicationStatus& status, Findings& findings) {
  for (const SlotLine& slot : status.slots) {
    const std::string who = "slot " + quote(slot.name);
    const auto kept = status.retained(slot);
    if (slot.wal_status == "lost") {
      findings.push_back({Health::Critical, who + " has lost WAL that its standby needs: " +
                                                slot_mend(status, slot)});
    } else if (slot.wal_status == "unreserved") {
      findings.push_back({Health::Critical, who + " is about to lose WAL that its standby needs"});
    } else if (!slot.active && !status.standby) {
      findings.push_back({Health::Warning, who + " is not in use and keeps " +
                                               (kept ? bytes_text(*kept) : "no") + " of WAL"});
    } else if (!slot.active && kept && slot.type == "physical") {
      // A logical one may be the primary's, kept in step here (17).
      findings.push_back(
          {Health::Warning, who + " is not in use and keeps " + bytes_text(*kept) +
                                " of WAL at this standby: " + slot_mend(status, slot)});
    }
  }
}

// A primary that answers must be the one that we follow.
void judge_answer(const ReplicationStatus& status, Findings& findings) {
  if (!status.primary) return;
  const PrimaryAnswer& primary = *status.primary;
  if (status.asked_another_cluster()) {
    findings.push_back({Health::Critical, primary.where + " is of another cluster (system " +
                                              escape(primary.system) + ", here " +
                                              escape(status.system) + ")"});
  } else if (!primary.standby && status.follows_another()) {
    findings.push_back({Health::Critical, other_primary_text(*status.receiver, primary.where,
                                                             primary.branch.timeline)});
  }
}

std::string why_no_lag(const ReplicationStatus& status) {
  if (!status.replayed) return "the database does not tell how far it is";
  std::string unknown = "how far behind the primary is not known";
  if (!status.primary) return unknown;
  const PrimaryAnswer& primary = *status.primary;
  if (!primary.trouble.empty()) return unknown + ": " + primary.trouble;
  if (primary.standby) {
    return unknown + ": " + primary.where +
           " is a standby itself; say with --primary where the writing one is";
  }
  return unknown;
}

void judge_standby(const ReplicationStatus& status, const ReplicationLimits& limits,
                   Findings& findings) {
  judge_receiver(status, limits, findings);
  if (status.pause != "not paused") {
    findings.push_back({Health::Warning, "replay: " + escape(status.pause)});
  }
  judge_answer(status, findings);
  const auto bytes = status.lag_bytes();
  const auto seconds = status.lag_seconds();
  if (bytes) {
    findings.push_back(
        {judge_lag(limits, bytes, seconds), lag_text(bytes, seconds) + " behind the primary"});
  } else {
    findings.push_back({Health::Unknown, why_no_lag(status)});
  }
  judge_slots(status, findings);
}

// With wal_sender_timeout = 0 one that is cut off is in the list for ever. When it last spoke is
// told by its own clock, so silence and a clock that is behind look the same, and behind a clock
// that is ahead silence is not seen.
void judge_silence(const StandbyLine& line, const ReplicationLimits& limits, Findings& findings) {
  if (!line.reply_ago || std::abs(*line.reply_ago) <= limits.silence) return;
  const std::string who = "standby " + quote(line.name);
  const std::string span = span_text(static_cast<std::int64_t>(std::abs(*line.reply_ago)));
  findings.push_back({Health::Warning, *line.reply_ago > 0
                                           ? who + " is silent for " + span +
                                                 ", or its clock is that far behind this one's"
                                           : "the clock of " + who + " is " + span +
                                                 " ahead of this one's, so that nobody sees when "
                                                 "it is silent"});
}

void judge_lines(const ReplicationStatus& status, const ReplicationLimits& limits,
                 Findings& findings) {
  for (const StandbyLine& line : status.standbys) {
    if (line.is_backup() || line.state.empty()) continue;
    const auto bytes = status.lag_bytes(line);
    const auto seconds = status.lag_seconds(line);
    const std::string who = "standby " + quote(line.name);
    if (line.state != "streaming") {
      findings.push_back({Health::Warning, who + " is in state " + quote(line.state)});
    }
    judge_silence(line, limits, findings);
    findings.push_back(
        {judge_lag(limits, bytes, seconds), who + " is " + lag_text(bytes, seconds) + " behind"});
  }
}

// Of "ANY 2 (a, b, c)", "FIRST 2 (...)" or "2 (...)"; a plain list wants one.
std::ptrdiff_t commits_need(std::string_view names) {
  if (trim(names).empty()) return 0;
  std::string_view head = names.substr(0, names.find('('));
  const std::size_t digit = head.find_first_of("0123456789");
  if (head.size() == names.size() || digit == std::string_view::npos) return 1;
  return static_cast<std::ptrdiff_t>(parse_number(trim(head.substr(digit))).value_or(1));
}

void judge_primary(const ReplicationStatus& status, const ReplicationLimits& limits,
                   Findings& findings) {
  const auto count = std::count_if(status.standbys.begin(), status.standbys.end(),
                                   [](const StandbyLine& line) { return !line.is_backup(); });
  const auto synchronous =
      std::count_if(status.standbys.begin(), status.standbys.end(), [](const StandbyLine& line) {
        return line.sync_state == "sync" || line.sync_state == "quorum";
      });
  const auto needed = commits_need(status.synchronous_names);
  if (synchronous < needed && !status.hidden) {
    findings.push_back(
        {Health::Critical, std::to_string(synchronous) + " of " + std::to_string(needed) +
                               " synchronous standbys are connected (synchronous_standby_names = " +
                               quote(status.synchronous_names) + "): every write waits"});
  }
  if (count < static_cast<std::ptrdiff_t>(limits.standbys)) {
    findings.push_back({Health::Critical, std::to_string(count) + " of " +
                                              std::to_string(limits.standbys) +
                                              " standbys are connected"});
  } else if (count == 0) {
    findings.push_back({Health::Warning, "no standby is connected"});
  }
  judge_lines(status, limits, findings);
  judge_slots(status, findings);
}

std::string limits_text(const std::optional<double>& warn, const std::optional<double>& crit) {
  const auto number = [](const std::optional<double>& value) {
    return value ? number_text(*value) : std::string();
  };
  return ";" + number(warn) + ";" + number(crit) + ";0";
}

std::optional<double> as_double(const std::optional<std::uint64_t>& bytes) {
  return bytes ? std::optional<double>(static_cast<double>(*bytes)) : std::nullopt;
}

}  // namespace

std::string_view health_word(Health health) {
  static constexpr std::array<std::string_view, 4> kWords = {"OK", "WARNING", "CRITICAL",
                                                             "UNKNOWN"};
  return kWords.at(static_cast<std::size_t>(health));
}

Health worse(Health a, Health b) { return rank(a) >= rank(b) ? a : b; }

void add_limit(LagLimit& limit, const std::string& text) {
  struct Unit {
    const char* word;
    double seconds;
  };
  constexpr Unit kUnits[] = {{"s", 1}, {"min", 60}, {"h", 3600}};
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number(std::string_view(text).substr(0, digits));
  const std::string unit = text.substr(digits);
  for (const Unit& one : kUnits) {
    if (number && unit == one.word) {
      limit.seconds = static_cast<double>(*number) * one.seconds;
      return;
    }
  }
  const auto bytes = unit.empty() ? std::nullopt : parse_size(text);
  if (!bytes) {
    throw Error(Fault::Usage,
                quote(text) + " is no limit: give a size such as 16MB or a time such as 60s, 5min");
  }
  limit.bytes = bytes;
}

void ReplicationLimits::raise_crit() {
  // An empty one is no limit, and less than any.
  if (crit.bytes) crit.bytes = std::max(crit.bytes, warn.bytes);
  if (crit.seconds) crit.seconds = std::max(crit.seconds, warn.seconds);
}

Health order_findings(std::vector<Judgement>& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Judgement& a, const Judgement& b) {
    return rank(a.health) > rank(b.health);
  });
  return findings.at(0).health;
}

ReplicationVerdict judge(const ReplicationStatus& status, const ReplicationLimits& limits) {
  ReplicationVerdict verdict;
  Findings& findings = verdict.findings;
  judge_hidden(status, findings);
  if (status.standby) {
    judge_standby(status, limits, findings);
  } else {
    judge_primary(status, limits, findings);
  }
  if (findings.empty()) findings.push_back({Health::Ok, "nothing to say"});
  verdict.health = order_findings(findings);
  return verdict;
}

std::string ReplicationVerdict::words(const ReplicationStatus& status) const {
  std::string text = status.standby ? "standby" : "primary";
  for (const Judgement& finding : findings) text += ", " + finding.text;
  return text;
}

std::string ReplicationVerdict::numbers(const ReplicationStatus& status,
                                        const ReplicationLimits& limits) const {
  std::string text;
  const auto add = [&](const std::string& name, const std::optional<std::uint64_t>& bytes,
                       const std::optional<double>& seconds) {
    if (bytes) {
      text += " " + name + "lag_bytes=" + std::to_string(*bytes) + "B" +
              limits_text(as_double(limits.warn.bytes), as_double(limits.crit.bytes));
    }
    if (seconds) {
      text += " " + name + "lag_seconds=" + number_text(*seconds) + "s" +
              limits_text(limits.warn.seconds, limits.crit.seconds);
    }
  };
  if (status.standby) {
    add("", status.lag_bytes(), status.lag_seconds());
    return text;
  }
  std::optional<std::uint64_t> bytes;
  std::optional<double> seconds;
  int count = 0;
  for (const StandbyLine& one : status.standbys) {
    if (one.is_backup()) continue;
    ++count;
    const auto its_bytes = status.lag_bytes(one);
    const auto its_seconds = status.lag_seconds(one);
    if (its_bytes) bytes = std::max(bytes.value_or(0), *its_bytes);
    if (its_seconds) seconds = std::max(seconds.value_or(0), *its_seconds);
  }
  text += " standbys=" + std::to_string(count);
  add("worst_", bytes, seconds);
  return text;
}

std::string monitor_line(Health health, std::string words, const std::string& numbers) {
  // A bar begins the numbers.
  std::replace(words.begin(), words.end(), '|', '/');
  return "REPLICATION " + std::string(health_word(health)) + " - " + words + " |" + numbers + "\n";
}

std::string ReplicationVerdict::line(const ReplicationStatus& status,
                                     const ReplicationLimits& limits) const {
  return monitor_line(health, words(status), numbers(status, limits));
}

}  // namespace xs
