// SPDX-License-Identifier: MIT
// Connections: which client connections of one port are open, and which have to go: one that
// finishes no request in its time, and, when there are many, the one that has been of no use for
// longest. So slow or silent clients never use up the port. Called by the HTTP server's callbacks
// and by its sweep; a cut is shutdown(2), and the owner of the descriptor closes it.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "base/clock.h"

namespace xs {

class Connections {
 public:
  Connections(Clock& clock, std::size_t many, Duration first_request, Duration next_request)
      : clock_(clock), many_(many), first_request_(first_request), next_request_(next_request) {}

  void opened(int fd);
  void completed(int fd);
  // Before the descriptor is closed: its number may be another's at once.
  void closed(int fd);
  void sweep();
  std::size_t size() const;

 private:
  struct Open {
    Instant since;            // the start, or the last answer
    std::uint64_t order = 0;  // of `since` among all
    bool useful = false;
    bool cut = false;
  };
  void cut(int fd, Open& open);
  void cut_one();

  Clock& clock_;
  const std::size_t many_;
  const Duration first_request_, next_request_;
  mutable std::mutex lock_;
  std::map<int, Open> open_;
  std::size_t alive_ = 0;  // not cut
  std::uint64_t events_ = 0;
};

}  // namespace xs
