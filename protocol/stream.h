// SPDX-License-Identifier: MIT
// Stream: all that a transport is. The channel knows nothing else, so a libssh session, a child
// process, the server's stdin and stdout, a socketpair and a faulty stream of a test are alike to
// it. One thread uses a stream. A broken connection is an Error (Stream, Network, Timeout); an
// orderly end is not.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace xs {

class Stream {
 public:
  virtual ~Stream() = default;

  // Bytes moved; nothing: try again after wait(); 0 from read_some: the peer has sent all that it
  // will send.
  virtual std::optional<std::size_t> read_some(std::span<char> into) = 0;
  virtual std::optional<std::size_t> write_some(std::string_view bytes) = 0;

  // Returns when reading, or writing where `for_write` is set, may make progress; at the deadline
  // at the latest; sometimes for nothing. Bytes that already wait inside the stream end the wait at
  // once.
  virtual void wait(bool for_write, Instant deadline) = 0;

  // We shall write no more: the peer reads an end after what was written. What is still on its way
  // may need further wait() calls.
  virtual void close_write() = 0;

  // Our last words are written, and nothing that the peer may still say or do matters: the
  // destructor need not wait for its end.
  virtual void leave() {}

  // What the far side had to say outside the protocol, as one sentence for an error message,
  // escaped and bounded: its stderr, its exit status. Empty when there is nothing.
  virtual std::string last_words() { return {}; }
};

}  // namespace xs
