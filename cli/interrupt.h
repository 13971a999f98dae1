// SPDX-License-Identifier: MIT
// Interrupt: SIGINT, SIGTERM and SIGHUP end a run in order: the next wait throws Interrupted, what
// was staged is removed, the primary is told, the lock is given back. A second signal ends the
// program at once, which is safe, too: the next run cleans up. In the middle of a commit nothing
// waits, so a commit is never cut short by the first signal.
#pragma once

#include "base/clock.h"

namespace xs::cli {

// For as long as it lives. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // 0, or the signal that came.
  static int caught();
};

// The real clock, whose waits end with Error (Interrupted) once a signal has come.
class InterruptibleClock final : public Clock {
 public:
  Instant now() const override { return clock_.now(); }
  int poll(std::span<pollfd> fds, Instant deadline) override;

 private:
  SteadyClock clock_;
};

}  // namespace xs::cli
