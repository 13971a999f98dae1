// SPDX-License-Identifier: MIT
#include "base/io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.h"

namespace xs {
namespace {

// O_NONBLOCK: a fifo planted under the name must not hang us.
constexpr int kReadFile = O_RDONLY | O_NONBLOCK;

bool would_block(int err) { return err == EAGAIN || err == EWOULDBLOCK; }

void wait_for(int fd, short events, Clock& clock, Instant deadline, std::string_view subject) {
  pollfd one{fd, events, 0};
  if (clock.poll({&one, 1}, deadline) > 0) return;
  throw Error(Fault::Timeout, quote(subject) + " was not ready before its deadline");
}

int open_retried(const std::string& path, int flags, unsigned mode) {
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0 || errno != EINTR) return fd;
  }
}

std::string read_regular(const Fd& fd, std::size_t limit, const std::string& path) {
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno("fstat", path);
  if (!S_ISREG(st.st_mode)) throw Error(Fault::Io, quote(path) + " is not a regular file");
  return read_all(fd.get(), limit, path);
}

}  // namespace

std::optional<std::size_t> read_some(int fd, std::span<char> into, std::string_view subject) {
  for (;;) {
    const ssize_t got = ::read(fd, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (would_block(errno)) return std::nullopt;
    if (errno != EINTR) throw_errno("read", subject);
  }
}

std::optional<std::size_t> write_some(int fd, std::string_view bytes, std::string_view subject) {
  for (;;) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put >= 0) return static_cast<std::size_t>(put);
    if (would_block(errno)) return std::nullopt;
    if (errno != EINTR) throw_errno("write", subject);
  }
}

void read_full(int fd, std::span<char> into, Clock& clock, Instant deadline,
               std::string_view subject) {
  while (!into.empty()) {
    wait_for(fd, POLLIN, clock, deadline, subject);
    const auto got = read_some(fd, into, subject);
    if (got == 0U) throw Error(Fault::Stream, quote(subject) + " ended early");
    into = into.subspan(got.value_or(0));
  }
}

void write_all(int fd, std::string_view bytes, Clock& clock, Instant deadline,
               std::string_view subject) {
  while (!bytes.empty()) {
    wait_for(fd, POLLOUT, clock, deadline, subject);
    bytes.remove_prefix(write_some(fd, bytes, subject).value_or(0));
  }
}

void set_nonblocking(int fd, bool on) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) throw_errno("fcntl", "descriptor");
  const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted != flags && ::fcntl(fd, F_SETFL, wanted) != 0) throw_errno("fcntl", "descriptor");
}

Fd open_file(const std::string& path, int flags, unsigned mode) {
  const int fd = open_retried(path, flags, mode);
  if (fd < 0) throw_errno("open", path);
  return Fd(fd);
}

std::optional<Fd> open_if_exists(const std::string& path, int flags) {
  const int fd = open_retried(path, flags, 0);
  if (fd >= 0) return Fd(fd);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw_errno("open", path);
}

std::string read_all(int fd, std::size_t limit, std::string_view subject) {
  std::string out;
  std::array<char, 16384> piece;
  for (;;) {
    const auto got = read_some(fd, piece, subject);
    if (!got) throw Error(Fault::Io, quote(subject) + " would block");
    if (*got == 0) return out;
    if (out.size() + *got > limit) {
      throw Error(Fault::Io,
                  quote(subject) + " is larger than " + std::to_string(limit) + " bytes");
    }
    out.append(piece.data(), *got);
  }
}

std::string read_file(const std::string& path, std::size_t limit) {
  return read_regular(open_file(path, kReadFile), limit, path);
}

std::optional<std::string> read_file_if_exists(const std::string& path, std::size_t limit) {
  const auto fd = open_if_exists(path, kReadFile);
  if (!fd) return std::nullopt;
  return read_regular(*fd, limit, path);
}

void replace_file(const std::string& path, std::string_view contents, unsigned mode,
                  std::optional<FileOwner> owner) {
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  const std::string temporary = path + "." + std::to_string(::getpid()) + ".new";
  // One that was cut off may have left a file of this name.
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) throw_errno("unlink", temporary);
  try {
    Fd fd = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    for (std::string_view rest = contents; !rest.empty();) {
      rest.remove_prefix(write_some(fd.get(), rest, temporary).value_or(0));
    }
    if (owner && ::fchown(fd.get(), owner->uid, owner->gid) != 0) throw_errno("fchown", temporary);
    if (::fchmod(fd.get(), mode) != 0) throw_errno("fchmod", temporary);
    if (::fsync(fd.get()) != 0) throw_errno("fsync", temporary);
    fd.close(temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("rename", temporary);
  } catch (const Error&) {
    ::unlink(temporary.c_str());
    throw;
  }
  const Fd directory = open_file(parent, O_RDONLY | O_DIRECTORY);
  if (::fsync(directory.get()) != 0) throw_errno("fsync", parent);
}

}  // namespace xs
