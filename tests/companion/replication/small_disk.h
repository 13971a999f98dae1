// SPDX-License-Identifier: MIT
// SmallDisk: a file system of a few megabytes, in memory, which this process and its children alone
// see. Temporary directories that are made while it lives lie on it. Needs root.
//   if (const auto why = SmallDisk::missing()) { WARN(*why); return; }
//   SmallDisk disk(160);
//   Node node;
//   disk.elsewhere();  // later ones lie where they always do
//   disk.fill(20);     // leaves 20 MiB
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/support/temp_dir.h"

namespace xs::test {

class SmallDisk {
 public:
  static std::optional<std::string> missing();
  explicit SmallDisk(unsigned mebibytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  void elsewhere();
  void fill(unsigned mebibytes_left);
  void empty();

 private:
  TempDir dir_;
  std::optional<std::string> before_;  // TMPDIR
  bool here_ = true;
};

}  // namespace xs::test
