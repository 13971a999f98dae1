// SPDX-License-Identifier: MIT
// ini: parse() refuses with Usage, or its values stand where they say and survive a print.
#include <cstdlib>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/ini.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size > xs::Ini::kLineLimit - 3) return 0;  // printing may add three bytes to a line
  std::istringstream in({reinterpret_cast<const char*>(data), size});
  std::string line, printed = "\n";  // a byte order mark is cut from the first line only
  auto values = xs::Ini().values();
  try {
    values = xs::Ini::parse(in.str(), "f").values();
  } catch (const xs::Error& error) {
    return error.fault() == xs::Fault::Usage ? 0 : (std::abort(), 0);
  }
  for (int read = 0, next = 3; xs::IniValue & value : values) {
    while (read < value.line && std::getline(in, line)) ++read;
    if (read != value.line || value.key.find('=') != line.npos) std::abort();
    if (line.find(value.value, line.find(value.key)) == line.npos) std::abort();
    printed += value.section.empty() ? "\n" : "[" + value.section + "]\n";
    printed += value.key + " = " + value.value + "\n";
    value.line = std::exchange(next, next + 2);
  }
  return xs::Ini::parse(printed, "f").values() == values ? 0 : (std::abort(), 0);
}
