// SPDX-License-Identifier: MIT
// fault_calls: which system calls can fail for a reason of the disk or of resources, and with what.
// For fault_sweep alone; it shares no code with what it makes fail.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace xs::test {

// An errno, or one of these: the call is carried out, but for a part of its bytes.
using Failure = int;
constexpr Failure kShort = -1;

// Not seen by the program when it is right: it asks again.
bool invisible(Failure failure);
std::string name_of(Failure failure);

// How a call says what it is about.
enum class Names { Descriptor, At, SecondAt, SymlinkAt, Path, Nothing };

struct CallKind {
  int number;
  const char* name;
  Names names;
  std::vector<Failure> failures;
};

const std::vector<CallKind>& call_kinds();

// One call that a program is about to make.
struct Call {
  const CallKind* kind = nullptr;
  std::uint64_t args[6]{};
  std::string subject;  // the absolute path, or what /proc calls a pipe; empty when there is none

  bool is_file() const { return !subject.empty() && subject.front() == '/'; }
  bool can(Failure failure) const;
  std::vector<Failure> failures() const;  // those that make sense for it
};

// Reads the path that it names from the memory of the task.
Call describe_call(pid_t task, int number, const std::uint64_t (&args)[6]);

}  // namespace xs::test
