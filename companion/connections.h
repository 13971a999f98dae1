// SPDX-License-Identifier: MIT
// Connections: which client connections of one port are open, and which have to go: one that
// finishes no request in its time, and, when there are many, the one that will be missed least. So
// neither slow or silent clients nor many from one address use up the port. Called by the HTTP
// server's callbacks and by its sweep; a cut is shutdown(2), and the owner of the descriptor closes
// it.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "base/clock.h"
#include "companion/listen.h"

namespace xs {

class Connections {
 public:
  Connections(Clock& clock, std::size_t many, Duration first_request, Duration next_request)
      : clock_(clock), many_(many), first_request_(first_request), next_request_(next_request) {}

  void opened(int fd, const PeerAddress& address);
  void completed(int fd);
  // Before the descriptor is closed: its number may be another's at once.
  void closed(int fd);
  void sweep();
  std::size_t size() const;

 private:
  struct Open {
    Instant since;                                       // the start, or the last answer
    std::uint64_t order = 0;                             // of `since` among all
    std::map<PeerAddress, std::size_t>::iterator crowd;  // of its address
    bool useful = false;
    bool cut = false;
  };
  void cut(int fd, Open& open);
  void forget(const Open& open);
  void cut_one();
  bool goes_before(const Open& one, const Open& other) const;

  Clock& clock_;
  const std::size_t many_;
  const Duration first_request_, next_request_;
  mutable std::mutex lock_;
  std::map<int, Open> open_;
  // Not cut: all, those without an answer so far, and by address.
  std::size_t alive_ = 0, waiting_ = 0;
  std::map<PeerAddress, std::size_t> crowds_;
  std::uint64_t events_ = 0;
};

}  // namespace xs
