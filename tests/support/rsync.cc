// SPDX-License-Identifier: MIT
#include "tests/support/rsync.h"

#include "base/error.h"
#include "tests/support/catch.h"

namespace xs::test {

bool rsync_is_here() {
  try {
    if (run_program({"rsync", "--version"}).end == kCleanEnd) return true;
  } catch (const Error&) {
  }
  WARN("no rsync here: nothing was compared");
  return false;
}

Outcome rsync(std::vector<std::string> options, const std::string& from, const std::string& to) {
  options.insert(options.begin(), "rsync");
  options.push_back(from + "/");
  options.push_back(to + "/");
  return run_program(options);
}

}  // namespace xs::test
