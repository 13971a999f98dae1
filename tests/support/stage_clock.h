// SPDX-License-Identifier: MIT
// StageClock: time that moves only when a test says so, for parts with threads of their own. A wait
// really waits, for its descriptors or for advance() to reach its deadline. Safe from any thread.
#pragma once

#include <sys/eventfd.h>

#include <chrono>
#include <mutex>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"

namespace xs::test {

class StageClock final : public Clock {
 public:
  Instant now() const override {
    const std::lock_guard hold(lock_);
    return now_;
  }

  int poll(std::span<pollfd> fds, Instant deadline) override {
    const Fd moved(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    std::vector<pollfd> all(fds.begin(), fds.end());
    all.push_back({moved.get(), POLLIN, 0});
    for (;;) {
      bool over = false;
      {
        const std::lock_guard hold(lock_);
        over = now_ >= deadline;
        waiting_.insert(moved.get());
      }
      const int ready = ::poll(all.data(), all.size(), over ? 0 : -1);
      {
        const std::lock_guard hold(lock_);
        waiting_.erase(moved.get());
      }
      if (ready < 0 && errno != EINTR) throw_errno("poll", "descriptors");
      eventfd_t count = 0;
      const bool tick = ::eventfd_read(moved.get(), &count) == 0;
      for (std::size_t i = 0; i < fds.size(); ++i) fds[i].revents = all[i].revents;
      const int ours = ready - (tick && all.back().revents != 0 ? 1 : 0);
      if (ours > 0) return ours;
      if (over) return 0;
    }
  }

  void advance(Duration by) {
    const std::lock_guard hold(lock_);
    now_ += by;
    for (const int fd : waiting_) (void)::eventfd_write(fd, 1);
  }

 private:
  mutable std::mutex lock_;
  Instant now_{std::chrono::hours(1)};
  std::set<int> waiting_;
};

// Whether it comes true within 20 s of real time.
template <class Condition>
bool eventually(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

}  // namespace xs::test
