// SPDX-License-Identifier: MIT
#include "sync/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <string>

#include "base/text.h"
#include "sync/areas.h"
#include "sync/real_disk.h"

namespace xs {
namespace {

constexpr std::string_view kName = "lock";
constexpr int kTries = 100;  // against somebody who keeps removing the file

Fd open_or_create(const Dir& area) {
  for (int i = 0; i < kTries; ++i) {
    if (auto file = area.open_file_if_exists(kName, O_RDWR)) return std::move(*file);
    try {
      return area.create_file(kName, 0600);
    } catch (const Error& error) {
      if (error.code() != EEXIST) throw;
    }
  }
  throw_errno("create", area.subject(kName), EEXIST);
}

std::string utc(std::int64_t ns) {
  const auto seconds = static_cast<std::time_t>(ns / 1'000'000'000);
  std::tm parts{};
  std::array<char, 64> text;
  if (::gmtime_r(&seconds, &parts) == nullptr) return "an unknown time";
  const std::size_t length =
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text.data(), length};
}

std::optional<std::uint64_t> signed_by(const Fd& file) {
  std::array<char, 32> text;
  const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
  return parse_number(trim({text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))}));
}

[[noreturn]] void refuse(const Fd& file, const std::string& subject) {
  const auto pid = signed_by(file);
  throw Error(Fault::Locked, pid ? "another run (process " + std::to_string(*pid) +
                                       ") has been at work since " +
                                       utc(stat_fd(file, subject).mtime_ns)
                                 : std::string("another run has just begun"));
}

struct ::flock whole_file() {
  struct ::flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return whole;
}

// The same once more, in the form that can be asked about without being taken. It belongs to the
// open file as the flock does, and ends with it.
void show(const Fd& file, const std::string& subject) {
  struct ::flock whole = whole_file();
  if (::fcntl(file.get(), F_OFD_SETLK, &whole) == 0) return;
  if (errno == EAGAIN || errno == EACCES) refuse(file, subject);
  // A kernel or file system without such locks: whoever asks is told that it cannot be told.
  const bool without = errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK;
  if (!without) throw_errno("fcntl", subject);
}

// For people only, so a full disk does not keep us from working.
void sign(const Fd& file) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.get(), 0) != 0) return;
  if (::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return;
  }
}

}  // namespace

Lock Lock::take(const Dir& root) {
  RealDisk disk(root);
  for (int i = 0; i < kTries; ++i) {
    ensure_area(disk, "");
    const Dir area = root.open_dir(kStagingName);
    Fd file = open_or_create(area);
    const std::string subject = area.subject(kName);
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) refuse(file, subject);
      if (errno != EINTR) throw_errno("flock", subject);
    }
    // It may have been removed between the two, and then it locks nothing.
    const auto named = area.stat_if_exists(kName);
    if (!named || !named->same_inode(stat_fd(file, subject))) continue;
    disk.hand_over(subject);
    sign(file);
    show(file, subject);
    return Lock(std::move(file));
  }
  throw Error(Fault::Io, "the lock file keeps disappearing; who removes it?", EAGAIN);
}

std::optional<AtWork> Lock::at_work(const std::string& destination) {
  if (::access(destination.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
    return std::nullopt;
  }
  const auto area = Dir::open_root(destination).open_dir_if_exists(kStagingName);
  if (!area) return std::nullopt;
  const auto file = area->open_file_if_exists(kName, O_RDONLY);
  if (!file) return std::nullopt;
  const std::string subject = area->subject(kName);
  struct ::flock whole = whole_file();
  if (::fcntl(file->get(), F_OFD_GETLK, &whole) != 0) throw_errno("fcntl", subject);
  if (whole.l_type == F_UNLCK) return std::nullopt;
  return AtWork{signed_by(*file).value_or(0), stat_fd(*file, subject).mtime_ns / 1'000'000'000};
}

}  // namespace xs
