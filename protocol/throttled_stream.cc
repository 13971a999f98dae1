// SPDX-License-Identifier: MIT
#include "protocol/throttled_stream.h"

#include <algorithm>
#include <cassert>

namespace xs {
namespace {

constexpr double kHeldSeconds = 0.1;
constexpr double kLeastDepth = 512;
constexpr std::chrono::milliseconds kShortWait{1};
constexpr double kStep = 0.25;  // of the depth: fewer, larger steps

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

ThrottledStream::Bucket::Bucket(Clock& clock, std::uint64_t rate)
    : clock_(clock),
      rate_(static_cast<double>(rate)),
      depth_(std::max(kLeastDepth, rate_ * kHeldSeconds)),
      bytes_(depth_),
      filled_(clock.now()) {
  assert(rate > 0);
}

std::size_t ThrottledStream::Bucket::available() {
  const Instant now = clock_.now();
  bytes_ = std::min(depth_, bytes_ + seconds(now - filled_) * rate_);
  filled_ = now;
  return bytes_ < depth_ * kStep ? 0 : static_cast<std::size_t>(bytes_);
}

void ThrottledStream::Bucket::take(std::size_t bytes) { bytes_ -= static_cast<double>(bytes); }

Instant ThrottledStream::Bucket::ready() const {
  const double missing = depth_ * kStep - bytes_;
  if (missing <= 0) return filled_;
  // A microsecond more, so that rounding never makes the wait end just too early.
  const std::chrono::duration<double> wait(missing / rate_ + 1e-6);
  return filled_ + std::chrono::duration_cast<Duration>(wait);
}

ThrottledStream::ThrottledStream(Stream& inner, Clock& clock, std::uint64_t rate)
    : inner_(inner), clock_(clock), in_(clock, rate), out_(clock, rate) {}

std::optional<std::size_t> ThrottledStream::read_some(std::span<char> into) {
  const std::size_t allowed = in_.available();
  if (allowed == 0) return std::nullopt;
  const auto got = inner_.read_some(into.first(std::min(into.size(), allowed)));
  if (got) in_.take(*got);
  return got;
}

std::optional<std::size_t> ThrottledStream::write_some(std::string_view bytes) {
  const std::size_t allowed = out_.available();
  if (allowed == 0) return std::nullopt;
  const auto put = inner_.write_some(bytes.substr(0, allowed));
  if (put) out_.take(*put);
  return put;
}

// Bytes that may not be read yet would end an inner wait at once, so the time comes first.
void ThrottledStream::wait(bool for_write, Instant deadline) {
  const bool may_read = in_.available() > 0;
  const bool may_write = for_write && out_.available() > 0;
  if (may_read) {
    return inner_.wait(may_write,
                       for_write && !may_write ? std::min(deadline, out_.ready()) : deadline);
  }
  // The inner wait cannot leave reading out and would return at once, again and again.
  if (may_write) deadline = std::min(deadline, clock_.now() + kShortWait);
  clock_.poll({}, std::min({deadline, in_.ready(), for_write ? out_.ready() : Instant::max()}));
}

}  // namespace xs
