// SPDX-License-Identifier: MIT
#include "companion/http_get.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/tcp.h"

namespace xs {
namespace {

constexpr std::string_view kBlankLine = "\r\n\r\n";

[[noreturn]] void not_http(std::string_view why) {
  throw Error(Fault::Protocol, "the answer is no HTTP: " + std::string(why));
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

int status_of(std::string_view line) {
  if (!line.starts_with("HTTP/1.")) not_http("it begins with '" + excerpt(line, 40) + "'");
  const std::size_t space = line.find(' ');
  const auto digits = space == line.npos ? std::string_view() : line.substr(space + 1, 3);
  const auto status = parse_number(digits);
  const bool ended =
      line.size() == space + 4 || (line.size() > space + 4 && line[space + 4] == ' ');
  if (digits.size() != 3 || !status || *status < 100 || !ended) {
    not_http("its status is '" + excerpt(line, 40) + "'");
  }
  return static_cast<int>(*status);
}

// The announced length of the body; nothing: it ends with the connection.
std::optional<unsigned long long> length_of(std::string_view headers) {
  std::optional<unsigned long long> length;
  while (!headers.empty()) {
    const std::size_t end = std::min(headers.find("\r\n"), headers.size());
    const std::string_view line = headers.substr(0, end);
    headers.remove_prefix(std::min(end + 2, headers.size()));
    const std::size_t colon = line.find(':');
    if (colon == line.npos) continue;
    const std::string_view name = line.substr(0, colon);
    if (same_name(name, "transfer-encoding")) not_http("a transfer encoding nobody asked for");
    if (!same_name(name, "content-length")) continue;
    const auto number = parse_number(trim(line.substr(colon + 1)));
    if (!number || (length && *length != *number)) not_http("it has no sensible length");
    length = number;
  }
  return length;
}

std::string date_of(std::string_view headers) {
  while (!headers.empty()) {
    const std::string_view line = headers.substr(0, headers.find("\r\n"));
    headers.remove_prefix(std::min(line.size() + 2, headers.size()));
    const std::size_t colon = std::min(line.find(':'), line.size());
    if (same_name(line.substr(0, colon), "date") && colon < line.size()) {
      return std::string(trim(line.substr(colon + 1)));
    }
  }
  return "";
}

// True once nothing more needs to be read: some servers keep an HTTP/1.0 connection open.
bool complete(std::string_view bytes) {
  const std::size_t blank = bytes.find(kBlankLine);
  if (blank == bytes.npos) return false;
  const std::size_t line = bytes.find("\r\n");
  const auto length =
      length_of(bytes.substr(std::min(line + 2, blank), blank - std::min(line + 2, blank)));
  return length && bytes.size() - blank - kBlankLine.size() >= *length;
}

std::string receive(HttpStream& stream, const std::string& subject, std::size_t limit) {
  std::string bytes;
  std::array<char, 4096> piece{};
  for (;;) {
    const auto got = stream.read(piece);
    if (!got) {
      throw Error(Fault::Timeout, quote(subject) + " did not answer in time (" +
                                      std::to_string(bytes.size()) + " bytes came)");
    }
    if (*got == 0) return bytes;
    if (bytes.size() + *got > limit) {
      throw Error(Fault::Protocol,
                  quote(subject) + " answers with more than " + std::to_string(limit) + " bytes");
    }
    bytes.append(piece.data(), *got);
    if (complete(bytes)) return bytes;
  }
}

bool visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c < 127; });
}

std::string request_for(const HttpTarget& target, std::string_view authorization) {
  const bool odd = target.path.empty() || target.path.front() != '/' ||
                   std::any_of(target.path.begin(), target.path.end(),
                               [](unsigned char c) { return c <= ' ' || c >= 127; });
  if (odd) throw Error(Fault::Usage, quote(target.path) + " is no path of an HTTP request");
  if (!visible(target.host) || !visible(authorization)) {
    throw Error(Fault::Usage, "a header of the request to " + quote(target.text()) +
                                  " would have a character that none has");
  }
  const bool six = target.host.find(':') != std::string::npos;
  return "GET " + target.path + " HTTP/1.0\r\nHost: " + (six ? "[" : "") + target.host +
         (six ? "]:" : ":") + std::to_string(target.port) +
         "\r\nUser-Agent: xroad-companion\r\nConnection: close\r\n" +
         (authorization.empty() ? "" : "Authorization: " + std::string(authorization) + "\r\n") +
         "\r\n";
}

// A socket as it is.
class PlainStream final : public HttpStream {
 public:
  PlainStream(int fd, std::string subject, Clock& clock, Instant deadline)
      : fd_(fd), subject_(std::move(subject)), clock_(clock), deadline_(deadline) {}
  void write(std::string_view bytes) override {
    write_all(fd_, bytes, clock_, deadline_, subject_);
  }
  std::optional<std::size_t> read(std::span<char> into) override {
    for (;;) {
      pollfd one{fd_, POLLIN, 0};
      if (clock_.poll({&one, 1}, deadline_) == 0) return std::nullopt;
      if (const auto got = read_some(fd_, into, subject_)) return got;
    }
  }

 private:
  int fd_;
  std::string subject_;
  Clock& clock_;
  Instant deadline_;
};

}  // namespace

std::string HttpTarget::text() const { return escape(host + ":" + std::to_string(port) + path); }

std::string HttpTarget::where() const {
  const bool six = host.find(':') != std::string::npos;
  return escape((six ? "[" + host + "]" : host) + ":" + std::to_string(port));
}

HttpReply parse_http_reply(std::string_view bytes) {
  const std::size_t blank = bytes.find(kBlankLine);
  if (blank == bytes.npos) {
    if (bytes.empty()) throw Error(Fault::Stream, "the connection ended without an answer");
    status_of(bytes.substr(0, std::min(bytes.find("\r\n"), bytes.size())));
    throw Error(Fault::Stream, "the answer was cut off in its headers");
  }
  const std::size_t line = bytes.find("\r\n");
  HttpReply reply;
  reply.status = status_of(bytes.substr(0, line));
  const std::size_t first = std::min(line + 2, blank);
  const auto length = length_of(bytes.substr(first, blank - first));
  reply.date = date_of(bytes.substr(first, blank - first));
  std::string_view body = bytes.substr(blank + kBlankLine.size());
  if (length && *length > body.size()) {
    throw Error(Fault::Stream, "the answer was cut off after " + std::to_string(body.size()) +
                                   " of " + std::to_string(*length) + " bytes");
  }
  reply.body = body.substr(0, length ? static_cast<std::size_t>(*length) : body.npos);
  return reply;
}

HttpReply http_get_over(HttpStream& stream, const HttpTarget& target,
                        std::string_view authorization, std::size_t limit) {
  const std::string request = request_for(target, authorization);
  const std::string subject = target.text();
  std::string bytes;
  try {
    stream.write(request);
    bytes = receive(stream, subject, limit);
  } catch (const Error& error) {
    // A reset is the peer's doing, not a local file's.
    if (error.fault() != Fault::Io) throw;
    throw Error(Fault::Stream, error.text(), error.code());
  }
  try {
    return parse_http_reply(bytes);
  } catch (const Error& error) {
    throw Error(error.fault(), subject + ": " + error.text(), error.code());
  }
}

HttpReply http_get(const HttpTarget& target, Clock& clock, Instant deadline, std::size_t limit) {
  request_for(target, {});  // before a connection is made for nothing
  const Fd fd = tcp_open(target.host, target.port, clock, deadline);
  PlainStream stream(fd.get(), target.text(), clock, deadline);
  return http_get_over(stream, target, {}, limit);
}

}  // namespace xs
