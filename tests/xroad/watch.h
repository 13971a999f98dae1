// SPDX-License-Identifier: MIT
// Watch: what inotify tells about directories, in the order in which it happened, a line an event:
// "signer/keyconf.xml moved-in". Nothing has to be waited for: the kernel queues an event before
// the call that causes it returns.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/fd.h"

namespace xs::test {

class Watch {
 public:
  // Directories below `root`, by their paths.
  Watch(const std::string& root, const std::vector<std::string>& dirs);
  std::vector<std::string> take();

 private:
  Fd fd_;
  std::map<int, std::string> dirs_;
};

}  // namespace xs::test
