// SPDX-License-Identifier: MIT
// Runs a fuzz target over its corpus where there is no libFuzzer: in every gcc build, as a ctest.
//   replay DIRECTORY|FILE ...
#include <cstdio>

#include <algorithm>
#include <boost/filesystem.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/io.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) try {
  namespace fs = boost::filesystem;
  std::vector<std::string> inputs;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i]))
      inputs.emplace_back(argv[i]);
    else
      for (const auto& found : fs::directory_iterator(argv[i]))
        inputs.push_back(found.path().string());
  }
  std::sort(inputs.begin(), inputs.end());
  for (const std::string& input : inputs) {
    const std::string bytes = xs::read_file(input, 1U << 24);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  std::printf("%zu inputs replayed\n", inputs.size());
  return inputs.empty() ? 1 : 0;
} catch (const xs::Error& error) {
  std::fprintf(stderr, "replay: %s\n", error.what());
  return xs::exit_code(error.fault());
}
