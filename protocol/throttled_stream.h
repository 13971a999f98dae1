// SPDX-License-Identifier: MIT
// ThrottledStream: another stream at a bounded rate (--bwlimit). Made by the client around its
// transport; the channel above it notices nothing but slowness. Both directions have the whole rate
// each. What comes in is limited by not reading it: the peer fills the transport's window (8 MiB
// over ssh) at full speed first, and then follows. Saves a tenth of a second's worth at most, so a
// pause is not followed by a burst.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "protocol/stream.h"

namespace xs {

class ThrottledStream final : public Stream {
 public:
  // Both must outlive this. `rate` in bytes a second, not 0.
  ThrottledStream(Stream& inner, Clock& clock, std::uint64_t rate);

  std::optional<std::size_t> read_some(std::span<char> into) override;
  std::optional<std::size_t> write_some(std::string_view bytes) override;
  void wait(bool for_write, Instant deadline) override;
  void close_write() override { inner_.close_write(); }
  void leave() override { inner_.leave(); }
  std::string last_words() override { return inner_.last_words(); }

 private:
  // Bytes that may pass: they gather with time, up to `depth_`.
  class Bucket {
   public:
    Bucket(Clock& clock, std::uint64_t rate);
    std::size_t available();
    void take(std::size_t bytes);
    // When there will be enough for a step worth taking.
    Instant ready() const;

   private:
    Clock& clock_;
    const double rate_;
    const double depth_;
    double bytes_;
    Instant filled_;
  };

  Stream& inner_;
  Clock& clock_;
  Bucket in_;
  Bucket out_;
};

}  // namespace xs
