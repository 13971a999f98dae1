// SPDX-License-Identifier: MIT
#include "companion/schedule.h"

#include <algorithm>
#include <utility>

namespace xs {
namespace {

// What a check said, in one line: its detail tells more than X-Road's message.
std::string words_of(const Verdict& verdict) {
  return verdict.detail.empty() ? verdict.message : verdict.detail;
}

}  // namespace

std::string timed_out_text(const std::string& name) {
  return "Fetching health check response timed out for: " + name;
}

std::string failed_text(const std::string& name) {
  return "Fetching health check response failed for: " + name;
}

std::string no_result_text(const std::string& name) {
  return "Health check has no result yet for: " + name;
}

Schedule::Schedule(std::vector<CheckName> checks, CheckTimes times) : times_(times) {
  for (CheckName& check : checks) {
    Entry entry;
    entry.check = std::move(check);
    entries_.push_back(std::move(entry));
  }
}

std::vector<std::size_t> Schedule::start_due(Instant now) {
  std::vector<std::size_t> started;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (entry.asked || entry.due > now) continue;
    entry.asked = now;
    entry.overdue = false;
    started.push_back(i);
  }
  return started;
}

void Schedule::finish(std::size_t check, Verdict verdict, Instant now) {
  Entry& entry = entries_.at(check);
  if (!entry.asked) return;
  if (now >= *entry.asked + times_.deadline) expire(now);
  entry.took = now - *entry.asked;
  entry.asked.reset();
  if (std::exchange(entry.overdue, false)) {
    if (verdict.ok) return;
    // Which host or file it waited for: the reason of the very failure that is being shown.
    entry.said = words_of(verdict);
    entry.verdict->detail = silence(entry);
    return;
  }
  if (verdict.ok) {
    verdict.message.clear();
  } else if (verdict.message.empty()) {
    verdict.message = failed_text(entry.check.name);
  }
  entry.said = words_of(verdict);
  set(entry, std::move(verdict), now);
}

void Schedule::expire(Instant now) {
  for (Entry& entry : entries_) {
    if (!entry.asked || entry.overdue || now < *entry.asked + times_.deadline) continue;
    entry.overdue = true;
    set(entry, Verdict{false, timed_out_text(entry.check.name), silence(entry)}, now);
  }
}

// The question that got no answer, and what the check had to say the last time that it spoke.
std::string Schedule::silence(const Entry& entry) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(times_.deadline).count();
  return "no answer within " + std::to_string(seconds) + " s" +
         (entry.said.empty() ? "" : "; it said last: " + entry.said);
}

void Schedule::set(Entry& entry, Verdict verdict, Instant now) const {
  entry.due = now + (verdict.ok ? times_.ok_for : times_.failed_for);
  entry.found = now;
  entry.verdict = std::move(verdict);
}

Instant Schedule::next() const {
  Instant next = Instant::max();
  for (const Entry& entry : entries_) {
    if (!entry.asked) {
      next = std::min(next, entry.due);
    } else if (!entry.overdue) {
      next = std::min(next, *entry.asked + times_.deadline);
    }
  }
  return next;
}

Reading Schedule::reading(std::size_t check, Instant now) const {
  const Entry& entry = entries_.at(check);
  Reading reading;
  reading.check = entry.check;
  reading.took = entry.took;
  const bool late = entry.asked && !entry.overdue && now >= *entry.asked + times_.deadline;
  if (!entry.verdict && !late) {
    reading.message = no_result_text(entry.check.name);
    return reading;
  }
  reading.known = true;
  // A success that nobody renewed in time says nothing about now.
  const bool stale =
      entry.verdict && entry.verdict->ok && now >= entry.found + times_.ok_for + times_.deadline;
  if (late || stale) {
    reading.message = timed_out_text(entry.check.name);
    reading.detail = silence(entry);
    return reading;
  }
  reading.ok = entry.verdict->ok;
  reading.message = entry.verdict->message;
  reading.detail = entry.verdict->detail;
  reading.measured = entry.verdict->measured;
  reading.facts = entry.verdict->facts;
  reading.age = now - entry.found;
  return reading;
}

std::optional<std::string> Schedule::first_failure(Instant now) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const bool asked_in_time = !entry.asked || now < *entry.asked + times_.deadline;
    const bool fresh = entry.verdict && entry.verdict->ok && asked_in_time &&
                       now < entry.found + times_.ok_for + times_.deadline;
    if (!fresh) return reading(i, now).message;
  }
  return std::nullopt;
}

bool Schedule::all_known() const {
  return std::all_of(entries_.begin(), entries_.end(),
                     [](const Entry& entry) { return entry.verdict.has_value(); });
}

}  // namespace xs
