// SPDX-License-Identifier: MIT
#include "protocol/stdio_stream.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <array>

#include "base/io.h"

namespace xs {
namespace {

bool is_socket(int fd) {
  struct stat st {};
  return ::fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

// write(2) on a socket whose peer is gone would raise SIGPIPE.
std::optional<std::size_t> send_some(int fd, std::string_view bytes) {
  for (;;) {
    const ssize_t put = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put >= 0) return static_cast<std::size_t>(put);
    if (errno == EAGAIN) return std::nullopt;
    if (errno != EINTR) throw_errno("send", "standard output");
  }
}

// A connection that the other side has dropped is not a failed file.
[[noreturn]] void rethrow_as_stream(const Error& error) {
  const bool gone = error.code() == EPIPE || error.code() == ECONNRESET;
  throw Error(Fault::Stream, gone ? "the connection was closed by the other side" : error.text(),
              error.code());
}

}  // namespace

StdioStream::StdioStream(Fd read, Fd write, Clock& clock)
    : read_(std::move(read)),
      write_(std::move(write)),
      socket_(is_socket(write_.get())),
      clock_(clock) {
  set_nonblocking(read_.get(), true);
  set_nonblocking(write_.get(), true);
}

StdioStream StdioStream::of_process(Clock& clock) {
  return {Fd(STDIN_FILENO), Fd(STDOUT_FILENO), clock};
}

std::optional<std::size_t> StdioStream::read_some(std::span<char> into) try {
  return xs::read_some(read_.get(), into, "standard input");
} catch (const Error& error) {
  rethrow_as_stream(error);
}

std::optional<std::size_t> StdioStream::write_some(std::string_view bytes) try {
  return socket_ ? send_some(write_.get(), bytes)
                 : xs::write_some(write_.get(), bytes, "standard output");
} catch (const Error& error) {
  rethrow_as_stream(error);
}

void StdioStream::wait(bool for_write, Instant deadline) {
  std::array<pollfd, 2> both{pollfd{read_.get(), POLLIN, 0}, pollfd{write_.get(), POLLOUT, 0}};
  clock_.poll(std::span(both).first(for_write ? 2 : 1), deadline);
}

void StdioStream::close_write() {
  // A socket has two owners here (read_ is the same socket): only shutdown() tells the other side.
  if (socket_) ::shutdown(write_.get(), SHUT_WR);
  write_ = Fd();
}

}  // namespace xs
