// SPDX-License-Identifier: MIT
#include "sync/workers.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace xs {
namespace {

constexpr std::size_t kRange = 512;
constexpr std::size_t kWorthAThread = 8 * kRange;
constexpr unsigned kThreads = 4;

class Shift {
 public:
  Shift(std::size_t count, const std::function<void(std::size_t, std::size_t)>& work)
      : count_(count), work_(work) {}
  ~Shift() {
    stop();
    for (std::thread& helper : helpers_) helper.join();
  }
  Shift(const Shift&) = delete;
  Shift& operator=(const Shift&) = delete;

  void hire() {
    const unsigned wanted = std::min(kThreads, std::max(1U, std::thread::hardware_concurrency()));
    for (std::size_t i = 1; i < std::min<std::size_t>(wanted, count_ / kWorthAThread + 1); ++i) {
      try {
        helpers_.emplace_back([this] {
          while (take()) {
          }
        });
      } catch (const std::system_error&) {
        return;  // fewer threads do it, too
      }
    }
  }

  // One range; false when none is left.
  bool take() noexcept {
    const std::size_t first = next_.fetch_add(kRange);
    if (first >= count_) return false;
    try {
      work_(first, std::min(first + kRange, count_));
    } catch (...) {
      const std::lock_guard guard(lock_);
      if (!failure_) failure_ = std::current_exception();
      stop();
    }
    return true;
  }

  void finish() {
    for (std::thread& helper : helpers_) helper.join();
    helpers_.clear();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void stop() { next_ = count_; }

  const std::size_t count_;
  const std::function<void(std::size_t, std::size_t)>& work_;
  std::atomic<std::size_t> next_{0};
  std::mutex lock_;
  std::exception_ptr failure_;
  std::vector<std::thread> helpers_;
};

}  // namespace

void share_out(std::size_t count, const std::function<void(std::size_t, std::size_t)>& work,
               const std::function<void()>& between) {
  Shift shift(count, work);
  shift.hire();
  while (shift.take()) {
    if (between) between();
  }
  shift.finish();
}

}  // namespace xs
