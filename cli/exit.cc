// SPDX-License-Identifier: MIT
#include "cli/exit.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "base/error.h"

namespace xs::cli {
namespace {

int report(std::string_view program, Fault fault, std::string_view text) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(program.size()), program.data(),
               static_cast<int>(text.size()), text.data());
  return exit_code(fault);
}

}  // namespace

int run_main(std::string_view program, const std::function<int()>& body) {
  // A peer or a pager that goes away is an error of the write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return body();
  } catch (const Error& error) {
    return report(program, error.fault(), error.text());
  } catch (const std::bad_alloc&) {
    return report(program, Fault::Memory, "out of memory");
  } catch (const std::exception& error) {
    return report(program, Fault::Memory, std::string("internal error: ") + error.what());
  }
}

std::string exit_code_help() {
  std::string out = "Exit codes:\n   0  done\n";
  for (const FaultInfo& info : kFaults) {
    std::string code = std::to_string(exit_code(info.fault));
    out += std::string(4 - code.size(), ' ') + code + "  " + std::string(info.meaning) + "\n";
  }
  return out;
}

}  // namespace xs::cli
