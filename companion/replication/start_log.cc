// SPDX-License-Identifier: MIT
#include "companion/replication/start_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

// The end of it where that is long. A log that was begun anew is all new.
std::string text_from(const std::string& file, std::uint64_t from) {
  constexpr std::uint64_t kMost = 1U << 20;
  const Fd fd = open_file(file, O_RDONLY | O_NONBLOCK);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno("fstat", file);
  const auto size = static_cast<std::uint64_t>(st.st_size);
  if (size < from) from = 0;
  from = std::max(from, size - std::min(size, kMost));
  if (::lseek(fd.get(), static_cast<off_t>(from), SEEK_SET) < 0) throw_errno("lseek", file);
  return read_all(fd.get(), 2 * kMost, file);
}

// The last line of this kind that is not about somebody who came too early.
std::string last_line(std::string_view text, std::string_view kind) {
  for (std::size_t end = text.size(); end > 0;) {
    const std::size_t at = text.substr(0, end).rfind(kind);
    if (at == std::string_view::npos) return "";
    const std::string line(text.substr(at, text.find('\n', at) - at));
    if (line.find("the database system is ") == std::string::npos) return line;
    end = at;
  }
  return "";
}

}  // namespace

std::vector<std::string> StartLog::files() const {
  return {cluster_.data + ".start.log", "/var/log/postgresql/postgresql-" +
                                            std::to_string(cluster_.major) + "-" + cluster_.name +
                                            ".log"};
}

void StartLog::begin() {
  const AsOwner rights(cluster_.user);
  begun_ = true;
  sizes_.clear();
  for (const std::string& file : files()) {
    struct stat st {};
    if (::stat(file.c_str(), &st) == 0) sizes_[file] = static_cast<std::uint64_t>(st.st_size);
  }
}

std::string StartLog::complaint() const {
  const AsOwner rights(cluster_.user);
  for (const std::string& file : files()) {
    try {
      const auto size = sizes_.find(file);
      const std::string text = text_from(file, size == sizes_.end() ? 0 : size->second);
      for (const char* kind : {"FATAL:", "ERROR:"}) {
        const std::string line = last_line(text, kind);
        if (!line.empty()) return ": " + excerpt(line, 300);
      }
    } catch (const Error&) {
      continue;  // there is none, or it is not ours to read
    }
  }
  return "";
}

}  // namespace xs
