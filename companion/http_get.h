// SPDX-License-Identifier: MIT
// http_get: one GET in HTTP/1.0 to a port of this node or of a peer, with a deadline and a size
// limit. Called by the checks, and over TLS (companion/tls.h) by whoever asks a Central Server. No
// redirects, no connection kept, and no chunked bodies: to HTTP/1.0 a server must not send them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace xs {

struct HttpTarget {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string path = "/";
  std::string text() const;   // "127.0.0.1:5566/memory-usage", escaped
  std::string where() const;  // "127.0.0.1:5566", "[::1]:5566", escaped
};

struct HttpReply {
  int status = 0;
  std::string body;
  std::string date;  // its header, as it came
};

// With its headers. The status of our own companion may grow with what a node has.
inline constexpr std::size_t kHttpReplyLimit = 64U << 10, kOwnReplyLimit = 4U << 20;

// Any status is an answer. Throws Network (refused, no such host), Timeout, Stream (cut off),
// Protocol (not HTTP, or larger than the limit).
HttpReply http_get(const HttpTarget& target, Clock& clock, Instant deadline,
                   std::size_t limit = kHttpReplyLimit);

// What a request and its answer travel over, in both directions until the deadline that it has.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  virtual void write(std::string_view bytes) = 0;
  // 0: the end; nothing: the deadline.
  virtual std::optional<std::size_t> read(std::span<char> into) = 0;
};

// The same over a stream that is open. `authorization` is a header's value, and in no message.
HttpReply http_get_over(HttpStream& stream, const HttpTarget& target,
                        std::string_view authorization = {}, std::size_t limit = kHttpReplyLimit);

// A whole reply as it came until the end of the connection. Throws Protocol, and Stream when the
// body is shorter than its Content-Length.
HttpReply parse_http_reply(std::string_view bytes);

}  // namespace xs
