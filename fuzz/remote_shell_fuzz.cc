// SPDX-License-Identifier: MIT
// Input: the value of -e. Property: it is refused as wrong usage, or it gives a program to start or
// settings that our own client honours; words never appear that the input did not hold.
#include <cstdlib>

#include "base/error.h"
#include "protocol/remote_shell.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const xs::RemoteShell shell = xs::parse_remote_shell(text);
    if (!shell.use_libssh && shell.argv.empty()) std::abort();
    std::size_t total = 0;
    for (const std::string& word : shell.argv) total += word.size();
    if (total > text.size()) std::abort();
  } catch (const xs::Error& error) {
    if (error.fault() != xs::Fault::Usage) std::abort();
  }
  return 0;
}
