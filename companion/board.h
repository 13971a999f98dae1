// SPDX-License-Identifier: MIT
// Board: the health of this node, kept warm. Every check runs on a thread of its own, again and
// again by the schedule; whoever asks gets the last known answer at once and waits for nothing. A
// check that is stuck keeps only its own thread. Called by the ports from any thread. Changes go to
// the log, once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "companion/check.h"
#include "companion/schedule.h"

namespace xs {

class Board {
 public:
  // Starts asking. The clock must be safe to use from several threads and outlive every check.
  Board(std::vector<std::unique_ptr<Check>> checks, Clock& clock, CheckTimes times = {});
  // stop(), and what is stuck even then is left behind: its thread owns what it uses but the clock.
  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  // The text of the first check that fails; nothing: this node can work.
  std::optional<std::string> first_failure() const;
  std::vector<Reading> readings() const;
  // Waits until every check has a result, or the deadline; whether they have.
  bool wait_until_known(Instant deadline) const;
  // Whether the board itself has come round since the last time that somebody asked this, and makes
  // it come round once more; a check that is stuck does not keep it. For a watchdog.
  bool came_round();

  // No check is asked again. Whether every thread ended within `grace` of real time; if not, the
  // process must end without running what exit() runs.
  bool stop(Duration grace);

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace xs
