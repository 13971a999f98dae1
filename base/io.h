// SPDX-License-Identifier: MIT
// I/O on plain descriptors: retried on EINTR, waiting only up to a deadline, failing with the
// subject's name. Called by the streams and by whoever reads a small file whole.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"

namespace xs {

// Bytes moved; 0 is the end of the input; nothing means that the descriptor would block.
std::optional<std::size_t> read_some(int fd, std::span<char> into, std::string_view subject);
std::optional<std::size_t> write_some(int fd, std::string_view bytes, std::string_view subject);

// All of it or an Error: Timeout at the deadline, Stream when the input ends early. The descriptor
// is non-blocking; on a blocking one a single large write could outlast the deadline.
void read_full(int fd, std::span<char> into, Clock& clock, Instant deadline,
               std::string_view subject);
void write_all(int fd, std::string_view bytes, Clock& clock, Instant deadline,
               std::string_view subject);

void set_nonblocking(int fd, bool on);

// open(2) with O_CLOEXEC; throws Io naming the path.
Fd open_file(const std::string& path, int flags, unsigned mode = 0);
// Nothing when there is no such file.
std::optional<Fd> open_if_exists(const std::string& path, int flags);
// The contents of a file of at most `limit` bytes; a larger one is an error, not a truncated
// answer.
std::string read_file(const std::string& path, std::size_t limit);
std::optional<std::string> read_file_if_exists(const std::string& path, std::size_t limit);
// A whole new file under the old name, or the old file: written beside it, fsynced, renamed, and
// the directory fsynced. Writers at the same time do not mix: the last one stands.
// `owner`: whose the file is to be; without one, ours.
struct FileOwner {
  uid_t uid = 0;
  gid_t gid = 0;
};
void replace_file(const std::string& path, std::string_view contents, unsigned mode,
                  std::optional<FileOwner> owner = std::nullopt);
std::string read_all(int fd, std::size_t limit, std::string_view subject);

}  // namespace xs
