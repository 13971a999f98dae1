// SPDX-License-Identifier: MIT
// Mend: what an operator does about a check that fails, in one line with commands that can be typed
// as they are. Called by the status report. Pure; every check has one, whatever its message.
#pragma once

#include <string>
#include <string_view>

namespace xs {

// `word` is the check's short name, `message` what it answers. Empty for a check of another
// version.
std::string mend_for(std::string_view word, std::string_view message);

}  // namespace xs
