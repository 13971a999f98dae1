// SPDX-License-Identifier: MIT
// StagedCheck: a check that says what the test wants, and hangs while the test holds it. The board
// owns it; the test keeps the script.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/error.h"
#include "companion/check.h"

namespace xs::test {

class Script {
 public:
  void say(Verdict verdict) {
    const std::lock_guard hold(lock_);
    verdict_ = std::move(verdict);
  }
  void fail_with(std::string message) { say(Verdict{false, std::move(message), "why"}); }
  void pass() { say(Verdict{true}); }
  void throw_error() { say(Verdict{false, "throw"}); }
  void hold() {
    const std::lock_guard hold(lock_);
    held_ = true;
  }
  void release() {
    const std::lock_guard hold(lock_);
    held_ = false;
    moved_.notify_all();
  }
  Verdict answer() {
    std::unique_lock hold(lock_);
    ++asked;
    moved_.wait(hold, [&] { return !held_; });
    if (verdict_.message == "throw") throw Error(Fault::Io, "cannot open 'x'");
    return verdict_;
  }

  std::atomic<int> asked = 0;

 private:
  std::mutex lock_;
  std::condition_variable moved_;
  bool held_ = false;
  Verdict verdict_{true};
};

class StagedCheck final : public Check {
 public:
  StagedCheck(std::string name, std::string word, std::shared_ptr<Script> script)
      : name_(std::move(name)), word_(std::move(word)), script_(std::move(script)) {}
  std::string name() const override { return name_; }
  std::string word() const override { return word_; }
  Verdict ask(Clock&, Instant) override { return script_->answer(); }

 private:
  std::string name_, word_;
  std::shared_ptr<Script> script_;
};

}  // namespace xs::test
