// SPDX-License-Identifier: MIT
// LoadConfig: from the words of a command line, the environment and the ini files to a Config.
// Called once, by main. The only place that reads configuration files. Whatever is wrong with a
// setting is an Error that begins with where it was written: FILE:LINE, the name of the variable,
// the option; unknown names come with the nearest known one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/config.h"
#include "cli/words.h"

namespace xs::cli {

inline constexpr const char* kConfigFile = "/etc/xroad-sync/xroad-sync.ini";

using Environment = std::vector<std::pair<std::string, std::string>>;
Environment process_environment();

// Strength, weakest first: what is built in, `config_file`, conf.d/*.ini beside it in the order of
// their names, the environment, the command line. --config FILE, or XROAD_SYNC_CONFIG, is read
// instead of all these files and has to exist. A file that is owned by somebody who is neither root
// nor us, or that everybody may write, is refused.
Config load_config(const Words& words, const Environment& environment,
                   const std::string& config_file = kConfigFile);

// Throws Usage, with what to do, where there is no primary to connect to.
void require_primary(const Config& config);

}  // namespace xs::cli
