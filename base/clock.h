// SPDX-License-Identifier: MIT
// Clock: what time it is, and how to wait. Everything that waits is handed one, so that a test can
// run hours of deadlines in no time; time and waiting come from the same object, so they cannot
// disagree.
#pragma once

#include <poll.h>

#include <chrono>
#include <span>

namespace xs {

using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  // Waits until a descriptor is ready or the deadline is reached; how many are ready, 0 at the
  // deadline. A signal does not end the wait.
  virtual int poll(std::span<pollfd> fds, Instant deadline) = 0;
};

class SteadyClock final : public Clock {
 public:
  Instant now() const override;
  int poll(std::span<pollfd> fds, Instant deadline) override;
};

}  // namespace xs
