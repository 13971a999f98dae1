// SPDX-License-Identifier: MIT
// Deaths: a run of a verb in a process of its own that is killed at a chosen moment, as an operator
// who closes his terminal, the OOM killer or a reboot does it. What is left behind is the next
// run's. A run that fails instead of dying is an exception with its words.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace xs::test {

using Say = std::function<void(std::string_view)>;

// SIGKILL where it says that it begins its step of this number ("[3/"); false: it came to its end.
bool dies_at_step(int number, const std::function<void(const Say&)>& run);

// SIGKILL as soon as `now` is true; false: it came to its end before.
bool dies_when(const std::function<bool()>& now, const std::function<void()>& run);

// Killed by the kernel at its first system call of this number (SYS_fchown); nothing of the call is
// done. False: it made none.
bool dies_at_call(long number, const std::function<void()>& run);

// In a process in which each system call of this number fails: what the run says of it ("": it
// did not notice).
std::string words_when_failing(long number, int error, const std::function<void()>& run);

}  // namespace xs::test
