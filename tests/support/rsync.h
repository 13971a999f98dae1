// SPDX-License-Identifier: MIT
// The real rsync, for the tests that compare ours with it.
#pragma once

#include <string>
#include <vector>

#include "tests/support/program.h"

namespace xs::test {

// False, with a warning of the test's, where there is none.
bool rsync_is_here();

// rsync with these options, from the contents of one directory into another; either may stand
// behind "host:". Fails as run_program() does; what rsync itself could not do is in `end`.
Outcome rsync(std::vector<std::string> options, const std::string& from, const std::string& to);

}  // namespace xs::test
