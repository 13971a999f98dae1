// SPDX-License-Identifier: MIT
#include "base/clock.h"

#include <cerrno>
#include <ctime>

#include "base/error.h"

namespace xs {

Instant SteadyClock::now() const { return std::chrono::steady_clock::now(); }

int SteadyClock::poll(std::span<pollfd> fds, Instant deadline) {
  for (;;) {
    // ppoll, because a wait of 0.4 ms must not become one of 0 (spinning) or of 1 ms (late).
    const Instant at = now();
    const Duration left = deadline > at ? deadline - at : Duration::zero();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec timeout{static_cast<std::time_t>(seconds.count()),
                           static_cast<long>((left - seconds).count())};
    const int ready = ::ppoll(fds.data(), fds.size(), &timeout, nullptr);
    if (ready >= 0) return ready;
    if (errno != EINTR) throw_errno("ppoll", "descriptors");
  }
}

}  // namespace xs
