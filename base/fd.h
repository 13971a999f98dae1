// SPDX-License-Identifier: MIT
// Fd: the owner of one file descriptor. A raw int never owns.
// The destructor closes for readers and for unwinding; whoever wrote through the descriptor calls
// close(), which throws, because that is where a full or broken disk may speak for the last time.
#pragma once

#include <unistd.h>

#include <string_view>
#include <utility>

#include "base/error.h"

namespace xs {

class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int raw) noexcept : raw_(raw) {}
  Fd(Fd&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    Fd old(std::exchange(raw_, std::exchange(other.raw_, -1)));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (raw_ >= 0) ::close(raw_);
  }

  void close(std::string_view subject) {
    if (::close(std::exchange(raw_, -1)) != 0) throw_errno("close", subject);
  }
  int get() const noexcept { return raw_; }
  int release() noexcept { return std::exchange(raw_, -1); }
  explicit operator bool() const noexcept { return raw_ >= 0; }

 private:
  int raw_ = -1;
};

}  // namespace xs
