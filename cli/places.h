// SPDX-License-Identifier: MIT
// Places: SOURCE and DEST of a command line, as rsync writes them, to what they name. Pure. Forms
// of rsync's that we do not have (daemons, pushes, local copies, several sources, a source without
// its trailing slash) are Unsupported, each by name and with what to write; malformed ones are
// Usage.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace xs::cli {

struct Places {
  std::optional<std::string> user;
  std::string host;         // an IPv6 address without its brackets
  std::string path;         // absolute, without trailing slashes; "/" for the root
  std::string destination;  // without trailing slashes
  bool operator==(const Places&) const = default;
};

Places parse_places(const std::vector<std::string>& names);

}  // namespace xs::cli
