// SPDX-License-Identifier: MIT
// Which tree, or which part of one, a client gets for the path that it asks for. Pure but for
// find_served(), which looks whether the directory is there. Asked by the server's session.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/server_config.h"

namespace xs::cli {

struct ServedPath {
  const ServerRoot* root = nullptr;
  std::string below;    // a directory below the root; empty: the root itself
  FilterList excludes;  // the root's, as they read from there
};

// Slashes too many and "." are the client's; a path that is no root and not below one, is excluded,
// leads through a symbolic link, or is no directory is Selection with one and the same text, so
// that nobody learns what there is. `reason`: the true one, for our own log.
ServedPath find_served(const ServerConfig& config, std::string_view asked, std::string& reason);

// Rules that hide, in a tree whose root is `below`, what `excludes` hides in the tree around it.
// Nothing where one of them cannot be written so (a "**" across the border) or hides `below`
// itself.
std::optional<FilterList> excludes_below(const FilterList& excludes, const std::string& below);

}  // namespace xs::cli
