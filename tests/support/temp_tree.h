// SPDX-License-Identifier: MIT
// TempTree: a temporary directory and a small language to fill it; gone when it goes out of scope,
// whatever its depth and modes. It does not use the code under test. Missing parents are made
// (0755); paths may be longer than PATH_MAX. A step that fails throws std::runtime_error.
//   TempTree tree;
//   tree.dir("a", 0700).file("a/key", "bytes").symlink("l", "a/key").hardlink("h", "a/key");
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace xs::test {

class TempTree {
 public:
  TempTree();
  ~TempTree();
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  TempTree& dir(std::string_view path, unsigned mode = 0755);
  TempTree& file(std::string_view path, std::string_view bytes = "",
                 unsigned mode = 0644);  // replaces the bytes
  TempTree& symlink(std::string_view path, std::string_view target);
  TempTree& hardlink(std::string_view path, std::string_view existing);
  TempTree& fifo(std::string_view path);
  TempTree& socket(std::string_view path);
  TempTree& mode(std::string_view path, unsigned mode);
  TempTree& owner(std::string_view path, std::uint32_t uid, std::uint32_t gid);
  TempTree& mtime(std::string_view path, std::int64_t ns);
  TempTree& remove(std::string_view path);  // a file or an empty directory

  const std::string& path() const { return path_; }
  std::string path_of(std::string_view below) const { return path_ + "/" + std::string(below); }
  bool exists(std::string_view path) const;
  struct stat stat(std::string_view path) const;  // does not follow
  std::string read(std::string_view path) const;

 private:
  std::string path_;
};

// Runs `body` in a child that has become nobody (where we are root) and gives back what it returned
// (0 to 100). Nothing of Catch2 may be used in it. 101: it threw. 102: it died.
int as_nobody(const std::function<int()>& body);

// The same as ourselves, for what must not outlast the test: mounts in a namespace of the child's
// own, limits.
int in_child(const std::function<int()>& body);

}  // namespace xs::test
