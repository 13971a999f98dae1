// SPDX-License-Identifier: MIT
// Nearest: what somebody who misspelled a name probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xs::cli {

// The candidate with the fewest edits, where it is near enough to be worth saying; empty otherwise.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// " (did you mean 'X'?)", or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace xs::cli
