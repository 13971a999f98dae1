// SPDX-License-Identifier: MIT
// Schedule: when each check is to be asked again, and what it says meanwhile. X-Road's rules: a
// success holds for 2 s, a failure for 30 s, an answer later than 5 s is a failure. Pure: time is
// an argument. Called by the board under its lock. It fails closed: no result yet, a check that
// does not come back, and a result that nobody renewed are failures.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "companion/check.h"

namespace xs {

struct CheckTimes {
  Duration deadline = std::chrono::seconds(5);
  Duration ok_for = std::chrono::seconds(2);
  Duration failed_for = std::chrono::seconds(30);
};

struct CheckName {
  std::string name;
  std::string word;
};

// What one check says at one moment.
struct Reading {
  CheckName check;
  bool ok = false;
  bool known = false;  // false: there was no answer yet
  std::string message;
  std::string detail;
  std::vector<Measured> measured;
  std::vector<Fact> facts;
  Duration age{};   // of the result
  Duration took{};  // of the last answer
};

class Schedule {
 public:
  explicit Schedule(std::vector<CheckName> checks, CheckTimes times = {});

  // The checks whose turn it is, now taken as asked.
  std::vector<std::size_t> start_due(Instant now);
  // The answer to a question; after its deadline it is too late, and only explains the failure.
  void finish(std::size_t check, Verdict verdict, Instant now);
  // Turns questions past their deadline into failures.
  void expire(Instant now);
  // When start_due() or expire() has something to do next.
  Instant next() const;

  std::size_t size() const { return entries_.size(); }
  Reading reading(std::size_t check, Instant now) const;
  // In X-Road's order, which is the order given; nothing: all is well.
  std::optional<std::string> first_failure(Instant now) const;
  // Whether every check has answered or failed to since the start.
  bool all_known() const;

 private:
  struct Entry {
    CheckName check;
    std::optional<Instant> asked;  // and not answered
    bool overdue = false;          // asked, and counted as a failure already
    Instant due;                   // to be asked
    std::optional<Verdict> verdict;
    std::string said;  // in its last own answer, late ones too
    Instant found;
    Duration took{};
  };
  void set(Entry& entry, Verdict verdict, Instant now) const;
  std::string silence(const Entry& entry) const;

  std::vector<Entry> entries_;
  CheckTimes times_;
};

// X-Road's texts around a check, and ours for the moment before the first answer.
std::string timed_out_text(const std::string& name);
std::string failed_text(const std::string& name);
std::string no_result_text(const std::string& name);

}  // namespace xs
