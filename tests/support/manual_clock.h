// SPDX-License-Identifier: MIT
// ManualClock: time that moves only when a test says so, or when a wait finds nothing ready. Such a
// wait is over at once and time stands at its deadline, so hours of silence cost nothing. Since it
// does not really wait, whoever is to make a descriptor ready must have done so before poll() is
// called.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/error.h"

namespace xs::test {

class ManualClock final : public Clock {
 public:
  Instant now() const override { return now_; }

  int poll(std::span<pollfd> fds, Instant deadline) override {
    int ready = 0;
    do {
      ready = ::poll(fds.data(), fds.size(), 0);
    } while (ready < 0 && errno == EINTR);
    if (ready < 0) throw_errno("poll", "descriptors");
    if (ready == 0) now_ = std::max(now_, deadline);
    return ready;
  }

  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{std::chrono::hours(1)};
};

}  // namespace xs::test
