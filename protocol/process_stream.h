// SPDX-License-Identifier: MIT
// ProcessStream: a Stream over a child program's stdin and stdout; what -e/--rsh starts. No shell
// is involved. The child gets those two and stderr, no other descriptor that is close-on-exec, an
// empty signal mask, and default actions for the signals that we may ignore. A program that cannot
// be started is an Error of class Start from the constructor. The destructor leaves no child
// behind: an end on its stdin, patience, SIGTERM, patience, SIGKILL. Writing to a child that is
// gone is an Error of class Stream, never a SIGPIPE.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "protocol/limits.h"
#include "protocol/remote_words.h"
#include "protocol/stream.h"

namespace xs {

class ProcessStream final : public Stream {
 public:
  // argv[0] is looked up in PATH. `patience`: how long each step of the end may take.
  ProcessStream(const std::vector<std::string>& argv, Clock& clock,
                std::chrono::milliseconds patience = Deadlines{}.close);
  ~ProcessStream() override;
  ProcessStream(const ProcessStream&) = delete;
  ProcessStream& operator=(const ProcessStream&) = delete;

  std::optional<std::size_t> read_some(std::span<char> into) override;
  std::optional<std::size_t> write_some(std::string_view bytes) override;
  // Also takes in what the child prints on stderr, so that it never blocks there.
  void wait(bool for_write, Instant deadline) override;
  void close_write() override;
  // Where the child has closed its end this waits, for the patience at most, for its last bytes and
  // its status.
  std::string last_words() override;

 private:
  bool reap();
  bool await_exit(Instant deadline);
  void end();
  void take_stderr();
  std::string exit_words() const;

  Clock& clock_;
  std::chrono::milliseconds patience_;
  std::string name_;
  Fd stdin_;
  Fd stdout_;
  Fd stderr_;
  pid_t pid_ = -1;             // -1: reaped
  std::optional<int> status_;  // as waitpid() gives it
  RemoteWords said_;
  bool read_ended_ = false;
  bool write_closed_ = false;
  bool write_broken_ = false;
};

}  // namespace xs
