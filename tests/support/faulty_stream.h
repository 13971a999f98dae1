// SPDX-License-Identifier: MIT
// FaultyStream: another stream that is cut, or falls silent, after a given number of bytes in a
// direction.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include "base/error.h"
#include "protocol/stream.h"

namespace xs::test {

struct Damage {
  static constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
  std::size_t cut_in = kNever;    // the peer's end is read after so many bytes
  std::size_t cut_out = kNever;   // writing fails after so many bytes
  std::size_t stall_in = kNever;  // nothing more arrives after so many bytes, and the line stays up
};

class FaultyStream final : public Stream {
 public:
  FaultyStream(Stream& inner, Damage damage) : inner_(inner), damage_(damage) {}

  std::size_t bytes_in() const { return in_; }
  std::size_t bytes_out() const { return out_; }

  std::optional<std::size_t> read_some(std::span<char> into) override {
    if (in_ >= damage_.stall_in) return std::nullopt;
    if (in_ >= damage_.cut_in) return 0;
    const auto got = inner_.read_some(
        into.first(std::min({into.size(), damage_.cut_in - in_, damage_.stall_in - in_})));
    in_ += got.value_or(0);
    return got;
  }

  std::optional<std::size_t> write_some(std::string_view bytes) override {
    if (out_ >= damage_.cut_out) throw Error(Fault::Stream, "the line was cut");
    const auto put = inner_.write_some(bytes.substr(0, damage_.cut_out - out_));
    out_ += put.value_or(0);
    return put;
  }

  void wait(bool for_write, Instant deadline) override {
    if (in_ >= damage_.cut_in) return;
    inner_.wait(for_write, deadline);
  }
  void close_write() override { inner_.close_write(); }

 private:
  Stream& inner_;
  Damage damage_;
  std::size_t in_ = 0;
  std::size_t out_ = 0;
};

}  // namespace xs::test
