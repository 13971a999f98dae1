// SPDX-License-Identifier: MIT
// The outermost frame of every program: what a failure prints and which code the program ends with.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace xs::cli {

// Runs the program's body and gives back its exit code. An Error becomes one line on stderr and the
// code of its class; so does everything else that can be thrown. Signals that would end the program
// in the middle of a line (SIGPIPE) are ignored.
int run_main(std::string_view program, const std::function<int()>& body);

// The table of kFaults as --help shows it.
std::string exit_code_help();

}  // namespace xs::cli
