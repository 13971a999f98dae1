// SPDX-License-Identifier: MIT
// Layers: the places that settings are written in, each read and checked against the table, before
// anything is put into a Config. Called by load_config.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/settings.h"
#include "cli/words.h"

namespace xs::cli {

struct Given {
  const Setting* setting;
  Value value;
  std::string origin;  // "built-in", "FILE:LINE", "environment NAME", "command line --name"
};
using Layer = std::vector<Given>;

Layer built_in_layer(bool source_on_command_line);
// Nothing when the file does not exist and need not.
Layer ini_layer(const std::string& file, bool required);
// The names of the ini files in a directory, sorted; none when it does not exist.
std::vector<std::string> ini_files(const std::string& directory);
Layer environment_layer(const std::vector<std::pair<std::string, std::string>>& environment);
Layer option_layer(const Words& words);

}  // namespace xs::cli
