// SPDX-License-Identifier: MIT
// Relay: a TCP relay on the loopback that makes a connection long, or breaks it at a chosen byte.
// Bytes that arrive are stamped with the time at which they may leave, so that what is in flight
// overlaps as on a long line: a delay costs time, not throughput. Runs in a thread of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>

#include "base/fd.h"

namespace xs::test {

struct RelayPlan {
  enum class Cut { Reset, End };
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  std::chrono::milliseconds delay{0};  // each way
  std::uint64_t cut_after = kNever;    // bytes from the server
  Cut cut = Cut::Reset;
  std::uint64_t stall_after = kNever;  // bytes from the server; then nothing moves either way
  bool small_buffer = false;           // the client's bytes fill the line soon
};

class Relay {
 public:
  Relay(std::uint16_t to, RelayPlan plan);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  Fd listener_;
  Fd stop_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace xs::test
