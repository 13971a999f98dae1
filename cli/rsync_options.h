// SPDX-License-Identifier: MIT
// RsyncOptions: rsync's options that are not in our table of settings: what we answer to each. With
// the settings they cover every option that rsync 3.5 lists in its help (a test asks rsync), so
// none is ever ignored by accident. Data; read by the parser and by the manual page.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace xs::cli {

enum class Answer : std::uint8_t {
  Accepted,  // taken, without effect, for the reason given
  Refused,   // Unsupported, by name, for the reason given
};

struct RsyncOption {
  std::string_view options;  // "-T,--temp-dir"
  bool takes_value;
  Answer answer;
  std::string_view reason;
};

const std::vector<RsyncOption>& rsync_options();
const RsyncOption* find_rsync_option(std::string_view name);  // "-T" or "--temp-dir"

}  // namespace xs::cli
