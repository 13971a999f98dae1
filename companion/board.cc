// SPDX-License-Identifier: MIT
#include "companion/board.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "base/text.h"

namespace xs {
namespace {

// A check gives up this long before the board does, so that it can say what it waited for.
constexpr Duration kMargin = std::chrono::milliseconds(100);

Fd make_event() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) throw_errno(Fault::Start, "eventfd", "board");
  return fd;
}

void signal_event(const Fd& event) {
  // It fails only when the counter is full, and then it is signalled already.
  (void)::eventfd_write(event.get(), 1);
}

std::vector<CheckName> names_of(const std::vector<std::unique_ptr<Check>>& checks) {
  std::vector<CheckName> names;
  names.reserve(checks.size());
  for (const auto& check : checks) names.push_back({check->name(), check->word()});
  return names;
}

Verdict ask(Check& check, Clock& clock, Instant deadline) noexcept {
  try {
    return check.ask(clock, deadline);
  } catch (const Error& error) {
    const bool late = error.fault() == Fault::Timeout || error.fault() == Fault::ConnectTimeout;
    return {false, late ? timed_out_text(check.name()) : failed_text(check.name()), error.text()};
  } catch (const std::exception& error) {
    return {false, failed_text(check.name()), escape(error.what())};
  }
}

}  // namespace

// Shared by the board and by every thread, so that a stuck check never outlives what it uses.
class Board::Core : public std::enable_shared_from_this<Board::Core> {
 public:
  Core(std::vector<std::unique_ptr<Check>> checks, Clock& clock, CheckTimes times)
      : clock_(clock),
        times_(times),
        schedule_(names_of(checks), times),
        checks_(std::move(checks)),
        go_(checks_.size(), false),
        said_(checks_.size()),
        wake_(make_event()),
        known_(make_event()) {}

  void start() {
    threads_.emplace_back([core = shared_from_this()] { core->supervise(); });
    for (std::size_t i = 0; i < checks_.size(); ++i) {
      threads_.emplace_back([core = shared_from_this(), i] { core->work(i); });
    }
  }

  std::optional<std::string> first_failure() const {
    const std::lock_guard hold(lock_);
    return schedule_.first_failure(clock_.now());
  }

  std::vector<Reading> readings() const {
    const std::lock_guard hold(lock_);
    std::vector<Reading> readings;
    readings.reserve(schedule_.size());
    for (std::size_t i = 0; i < schedule_.size(); ++i) {
      readings.push_back(schedule_.reading(i, clock_.now()));
    }
    return readings;
  }

  bool wait_until_known(Instant deadline) const {
    std::array wait{pollfd{known_.get(), POLLIN, 0}};
    clock_.poll(wait, deadline);
    const std::lock_guard hold(lock_);
    return schedule_.all_known();
  }

  bool came_round() {
    const std::lock_guard hold(lock_);
    signal_event(wake_);
    return std::exchange(turns_seen_, turns_) != turns_;
  }

  bool stop(Duration grace) {
    std::unique_lock hold(lock_);
    if (std::exchange(stopping_, true)) return ended_ == threads_.size();
    changed_.notify_all();
    signal_event(wake_);
    const bool all = changed_.wait_for(hold, grace, [&] { return ended_ == threads_.size(); });
    hold.unlock();
    for (std::thread& thread : threads_) {
      if (!thread.joinable()) continue;
      if (all) {
        thread.join();
      } else {
        thread.detach();
      }
    }
    return all;
  }

 private:
  void supervise() {
    std::unique_lock hold(lock_);
    while (!stopping_) {
      ++turns_;
      const Instant now = clock_.now();
      schedule_.expire(now);
      for (const std::size_t i : schedule_.start_due(now)) go_[i] = true;
      changed_.notify_all();
      if (schedule_.all_known()) signal_event(known_);
      const std::vector<Reading> news = changes(now);
      const Instant next = schedule_.next();
      hold.unlock();
      for (const Reading& reading : news) tell(reading);
      std::array wait{pollfd{wake_.get(), POLLIN, 0}};
      if (clock_.poll(wait, next) > 0) {
        eventfd_t count = 0;
        (void)::eventfd_read(wake_.get(), &count);
      }
      hold.lock();
    }
    end(hold);
  }

  void work(std::size_t i) {
    std::unique_lock hold(lock_);
    for (;;) {
      changed_.wait(hold, [&] { return stopping_ || go_[i]; });
      if (stopping_) break;
      go_[i] = false;
      hold.unlock();
      Verdict verdict = ask(*checks_[i], clock_, clock_.now() + times_.deadline - kMargin);
      hold.lock();
      schedule_.finish(i, std::move(verdict), clock_.now());
      signal_event(wake_);
    }
    end(hold);
  }

  void end(std::unique_lock<std::mutex>& hold) {
    ++ended_;
    changed_.notify_all();
    hold.unlock();
  }

  // What differs from what was logged last.
  std::vector<Reading> changes(Instant now) {
    std::vector<Reading> news;
    for (std::size_t i = 0; i < schedule_.size(); ++i) {
      Reading reading = schedule_.reading(i, now);
      if (!reading.known || said_[i] == reading.message) continue;
      said_[i] = reading.message;
      news.push_back(std::move(reading));
    }
    return news;
  }

  static void tell(const Reading& reading) {
    if (reading.ok) {
      spdlog::info("check {}: ok", reading.check.word);
    } else {
      spdlog::warn("check {}: {}{}{}", reading.check.word, escape(reading.message),
                   reading.detail.empty() ? "" : ": ", reading.detail);
    }
  }

  Clock& clock_;
  const CheckTimes times_;
  mutable std::mutex lock_;
  std::condition_variable changed_;
  Schedule schedule_;
  const std::vector<std::unique_ptr<Check>> checks_;
  std::vector<bool> go_;
  std::vector<std::optional<std::string>> said_;
  Fd wake_;
  Fd known_;
  std::vector<std::thread> threads_;
  std::size_t ended_ = 0;
  std::uint64_t turns_ = 0, turns_seen_ = 0;
  bool stopping_ = false;
};

Board::Board(std::vector<std::unique_ptr<Check>> checks, Clock& clock, CheckTimes times)
    : core_(std::make_shared<Core>(std::move(checks), clock, times)) {
  try {
    core_->start();
  } catch (const std::system_error& error) {
    core_->stop(std::chrono::seconds(1));  // those that there are
    throw Error(Fault::Start,
                std::string("cannot start a thread for every check: ") + error.code().message() +
                    ": see TasksMax and ulimit -u",
                error.code().value());
  }
}

Board::~Board() { stop(std::chrono::seconds(1)); }

std::optional<std::string> Board::first_failure() const { return core_->first_failure(); }
std::vector<Reading> Board::readings() const { return core_->readings(); }
bool Board::wait_until_known(Instant deadline) const { return core_->wait_until_known(deadline); }
bool Board::came_round() { return core_->came_round(); }
bool Board::stop(Duration grace) { return core_->stop(grace); }

}  // namespace xs
