// SPDX-License-Identifier: MIT
// Completion: what a shell offers after `xroad-sync`, made from the table of settings. Called by
// `completion` and by the packages. Pure; an unknown shell is Usage.
#pragma once

#include <string>
#include <string_view>

namespace xs::cli {

std::string completion_script(std::string_view shell);  // bash, zsh, fish

}  // namespace xs::cli
