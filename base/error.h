// SPDX-License-Identifier: MIT
// Error: the one exception of this project, and the table of what can go wrong.
// A Fault is a class of failure that an administrator acts on in one way; its number is the exit
// code of the program and the class byte of a protocol abort, so a number is never reused. kFaults
// is the only table.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace xs {

enum class Fault : std::uint8_t {
  Usage = 1,
  Protocol = 2,
  Selection = 3,
  Unsupported = 4,
  Start = 5,
  Network = 10,
  Io = 11,
  Stream = 12,
  Interrupted = 20,
  Memory = 22,
  Partial = 23,
  Vanished = 24,
  Refused = 25,
  Timeout = 30,
  ConnectTimeout = 35,
  Locked = 40,
  HostKey = 41,
  Auth = 42,
  Mismatch = 43,
  Action = 44,
  Paused = 45,
  Role = 46,
};

struct FaultInfo {
  Fault fault;
  std::string_view name;
  std::string_view meaning;
};

inline constexpr auto kFaults = std::to_array<FaultInfo>({
    {Fault::Usage, "usage", "wrong command line, environment or configuration"},
    {Fault::Protocol, "protocol",
     "the other side does not speak our protocol (is its shell clean?)"},
    {Fault::Selection, "selection", "a root or a file list cannot be used as asked"},
    {Fault::Unsupported, "unsupported", "an option or a feature that this build does not have"},
    {Fault::Start, "start", "the remote program could not be started"},
    {Fault::Network, "network", "the connection could not be made"},
    {Fault::Io, "io", "reading or writing a local file failed"},
    {Fault::Stream, "stream", "the connection broke"},
    {Fault::Interrupted, "interrupted", "stopped by a signal"},
    {Fault::Memory, "memory", "out of memory, or over a memory limit"},
    {Fault::Partial, "partial", "part of the source could not be read"},
    {Fault::Vanished, "vanished", "the source kept changing while it was read"},
    {Fault::Refused, "refused", "a guard against loss refused the change"},
    {Fault::Timeout, "timeout", "the other side was silent for too long, or the run took too long"},
    {Fault::ConnectTimeout, "connect-timeout", "no connection before its deadline"},
    {Fault::Locked, "locked", "another run is at work"},
    {Fault::HostKey, "host-key", "the host key is unknown, changed or revoked"},
    {Fault::Auth, "auth", "the other side refused our key, or our key cannot be used"},
    {Fault::Mismatch, "mismatch", "verification failed"},
    {Fault::Action, "action", "an action after the commit failed"},
    {Fault::Paused, "paused", "paused, and the caller wanted that to be a failure"},
    {Fault::Role, "role", "this node is not in the role that the task needs"},
});

constexpr int exit_code(Fault fault) { return static_cast<int>(fault); }
const FaultInfo& describe(Fault fault);
// The fault with this number, or nullptr: what a peer sends is checked against the table.
const FaultInfo* find_fault(std::uint8_t number);

// What happened, to what, and what to do. `code` is the errno behind it, 0 when there is none.
class Error : public std::exception {
 public:
  Error(Fault fault, std::string text, int code = 0)
      : fault_(fault), code_(code), text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }
  const std::string& text() const noexcept { return text_; }
  Fault fault() const noexcept { return fault_; }
  int code() const noexcept { return code_; }

 private:
  Fault fault_;
  int code_;
  std::string text_;
};

// Throws Io: "fsync 'keyconf.xml': No space left on device". The subject is escaped.
[[noreturn]] void throw_errno(std::string_view call, std::string_view subject, int err = errno);
[[noreturn]] void throw_errno(Fault fault, std::string_view call, std::string_view subject,
                              int err = errno);
// strerror without its shared buffer.
std::string errno_text(int err);

}  // namespace xs
