// SPDX-License-Identifier: MIT
// Stdio stream: a Stream over two descriptors that somebody else has opened: the server's stdin and
// stdout under sshd, both ends of a socketpair in tests.
#pragma once

#include "base/fd.h"
#include "protocol/stream.h"

namespace xs {

class StdioStream final : public Stream {
 public:
  // Takes both and makes them non-blocking. For a socket pass a duplicate as `write`. Where `write`
  // is a pipe the program must ignore SIGPIPE.
  StdioStream(Fd read, Fd write, Clock& clock);
  // The server's: descriptors 0 and 1, which then belong to the stream.
  static StdioStream of_process(Clock& clock);

  std::optional<std::size_t> read_some(std::span<char> into) override;
  std::optional<std::size_t> write_some(std::string_view bytes) override;
  void wait(bool for_write, Instant deadline) override;
  void close_write() override;

 private:
  Fd read_;
  Fd write_;
  bool socket_;  // write_ is one
  Clock& clock_;
};

}  // namespace xs
