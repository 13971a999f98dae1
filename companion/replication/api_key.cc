// SPDX-License-Identifier: MIT
#include "companion/replication/api_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::size_t kFileLimit = 4096;
constexpr std::size_t kShortest = 16;  // X-Road's have 36 characters
constexpr std::size_t kLongest = 256;
constexpr std::size_t kTelling = 8;  // so many of its first characters are not shown

[[noreturn]] void refuse(const std::string& file, const std::string& why) {
  throw Error(Fault::Usage, "the API key file " + quote(file) + " " + why);
}

// Of the open file, so that nobody can change it between the look and the use.
void check_rights(const Fd& fd, const std::string& file) {
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) throw_errno("fstat", file);
  if (!S_ISREG(about.st_mode)) refuse(file, "is not a regular file");
  if (about.st_uid != 0 && about.st_uid != ::geteuid()) {
    refuse(file, "belongs to another user, who could change it, so it is not used: chown root " +
                     quote(file));
  }
  if ((about.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
    const bool read = (about.st_mode & S_IROTH) != 0;
    refuse(file, std::string("can be ") + (read ? "read" : "changed") +
                     " by others, so it is not used: chmod 0640 " + quote(file) +
                     (read ? ", and revoke the key, which others may know" : ""));
  }
}

}  // namespace

ApiKey::ApiKey(const std::string& file) {
  // A FIFO would wait for a writer.
  const Fd fd = open_file(file, O_RDONLY | O_NONBLOCK);
  check_rights(fd, file);
  std::string text = read_all(fd.get(), kFileLimit, file);
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) refuse(file, "is empty: put the key into it, on a line of its own");
  if (text.find('\n') != text.npos)
    refuse(file, "has more than one line: the key alone goes there");
  // Anything else could begin a header of its own.
  const bool odd =
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c >= 127; });
  if (odd) refuse(file, "has a blank or another character that no API key has");
  if (text.size() < kShortest || text.size() > kLongest) {
    refuse(file, "holds " + std::to_string(text.size()) + " characters, which is no API key");
  }
  key_ = std::move(text);
}

std::string ApiKey::authorization() const { return "X-Road-ApiKey token=" + key_; }

std::string ApiKey::hide(std::string text) const {
  const std::string_view key = key_;
  for (std::size_t at = 0; (at = text.find(key.substr(0, kTelling), at)) != text.npos;) {
    // An excerpt may have cut it short.
    std::size_t size = kTelling;
    while (size < key.size() && at + size < text.size() && text[at + size] == key[size]) ++size;
    text.replace(at, size, "***");
  }
  return text;
}

}  // namespace xs
