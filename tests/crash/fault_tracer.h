// SPDX-License-Identifier: MIT
// fault_tracer: runs a program and makes its n-th system call fail, or that and all later ones that
// can fail so. The kernel asks us about each call (seccomp user notification, Linux 5.6), so that
// none escapes that the C library makes inside. What cannot be started or watched is an Error (Io).
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/fd.h"
#include "tests/crash/fault_calls.h"
#include "tests/crash/kill_tracer.h"

namespace xs::test {

// Whose calls: of the program itself, or of what it starts.
enum class Side { Client, Server };

struct Injection {
  Side side = Side::Client;
  std::string start;     // counted from the opening of a name with this last component
  std::uint64_t at = 0;  // from 1; 0: nothing fails
  Failure failure = 0;
  bool persistent = false;
  std::string within;  // interrupted and shortened are only calls on files below it, and on pipes
};

struct Watched {
  Ended ended;
  std::vector<Call> calls;   // all that were counted
  std::vector<Call> failed;  // those that did not go as the program wished
  bool hung = false;
};

class FaultTracer : public Runner {
 public:
  using Runner::Runner;
  // False where the kernel cannot do this, with the reason.
  static bool possible(std::string& why);

  Watched watch(const std::vector<std::string>& argv, const Injection& injection);

 private:
  void answer(int listener);
  bool is_ours(pid_t task);
  bool fails(const Call& call);
  std::int64_t do_part(pid_t task, const Call& call, bool& done) const;

  pid_t client_ = 0;
  const Injection* injection_ = nullptr;
  Watched watched_;
  bool started_ = false;
  std::minstd_rand random_;
  std::map<pid_t, bool> of_client_;
};

}  // namespace xs::test
