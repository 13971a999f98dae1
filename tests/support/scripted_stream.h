// SPDX-License-Identifier: MIT
// ScriptedStream: the other side of a channel as a script, on a clock that the test owns: bytes
// that arrive at given times, an end, a peer that takes only so much. Waiting moves the clock to
// the next event, so a test of hours ends at once and always in the same way.
#pragma once

#include <deque>
#include <limits>
#include <string>

#include "base/error.h"
#include "protocol/stream.h"
#include "tests/support/manual_clock.h"

namespace xs::test {

class ScriptedStream final : public Stream {
 public:
  explicit ScriptedStream(ManualClock& clock) : clock_(clock), start_(clock.now()) {}

  // What the peer does, `at` counted from the making of the stream. Times must not go back.
  void arrive(std::string bytes, Duration at = {}) {
    events_.push_back({start_ + at, std::move(bytes)});
  }
  void end(Duration at = {}) { events_.push_back({start_ + at, ""}); }
  // How many more bytes of ours the peer takes.
  std::size_t takes = std::numeric_limits<std::size_t>::max();
  // The most that one read returns.
  std::size_t piece = std::numeric_limits<std::size_t>::max();
  bool broken = false;  // writing fails
  std::string words;

  const std::string& written() const { return written_; }
  bool write_closed() const { return write_closed_; }
  Duration elapsed() const { return clock_.now() - start_; }

  std::optional<std::size_t> read_some(std::span<char> into) override {
    if (!ready()) return std::nullopt;
    Event& event = events_.front();
    const std::size_t count = std::min({event.bytes.size() - event.at_byte, into.size(), piece});
    if (count == 0) return 0;
    event.bytes.copy(into.data(), count, event.at_byte);
    event.at_byte += count;
    if (event.at_byte == event.bytes.size()) events_.pop_front();
    return count;
  }

  std::optional<std::size_t> write_some(std::string_view bytes) override {
    if (broken) throw Error(Fault::Stream, "the connection is broken");
    const std::size_t count = std::min(bytes.size(), takes);
    if (count == 0) return std::nullopt;
    written_ += bytes.substr(0, count);
    takes -= count;
    return count;
  }

  void wait(bool for_write, Instant deadline) override {
    if (ready() || (for_write && takes > 0)) return;
    const Instant until = events_.empty() ? deadline : std::min(deadline, events_.front().at);
    clock_.advance(std::max(Duration::zero(), Duration(until - clock_.now())));
  }

  void close_write() override { write_closed_ = true; }
  std::string last_words() override { return words; }

 private:
  struct Event {
    Instant at;
    std::string bytes;  // empty: the end
    std::size_t at_byte = 0;
  };
  bool ready() const { return !events_.empty() && events_.front().at <= clock_.now(); }

  ManualClock& clock_;
  const Instant start_;
  std::deque<Event> events_;
  std::string written_;
  bool write_closed_ = false;
};

}  // namespace xs::test
