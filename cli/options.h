// SPDX-License-Identifier: MIT
// Options: the command line of xroad-sync as a whole: words (words.h) with the names that each verb
// takes, and what --help and --version print. Called by main. Throws Usage and Unsupported.
#pragma once

#include <string>
#include <vector>

#include "cli/words.h"

namespace xs::cli {

// `arguments` without the program's own name.
Words read_command_line(const std::vector<std::string>& arguments);

// What --help prints for a verb: its own options only; for pull, the list of verbs too.
std::string help_text(Verb verb);
std::string version_text();

// "-e, --rsh=COMMAND", as help and manual pages write it.
std::string shown_option(const Setting& setting);

}  // namespace xs::cli
