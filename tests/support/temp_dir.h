// SPDX-License-Identifier: MIT
// TempDir: a private directory (0700) for one test, gone when the test ends, whatever modes the
// test left behind. Its path goes through no symbolic link, and its removal follows none. Failures
// throw std::runtime_error or filesystem_error.
#pragma once

#include <string>
#include <string_view>

namespace xs::test {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  // The path of a name in it; nothing is made.
  std::string operator/(std::string_view name) const;
  // Makes or replaces a file; returns its path. The mode does not depend on the umask.
  std::string write(std::string_view name, std::string_view bytes, unsigned mode = 0600) const;
  std::string read(std::string_view name) const;

 private:
  std::string path_;
};

}  // namespace xs::test
