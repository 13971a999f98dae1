// SPDX-License-Identifier: MIT
// ShowConfig: a configuration as text: the effective one (`config show`), and the example that is
// installed. Both are ini files that load_config() reads. Pure.
#pragma once

#include <string>

#include "cli/config.h"

namespace xs::cli {

// With `origin` a comment in front of each value says where it comes from. What only the command
// line can say stands at the end, as comments.
std::string show_config(const Config& config, bool origin);

// Every key with what it is for and its default, all commented out.
std::string example_config();

}  // namespace xs::cli
