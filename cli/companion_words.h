// SPDX-License-Identifier: MIT
// CompanionWords: what xroad-companion's command line says of itself: completion for the shells,
// and the list of verbs in its manual page. Made by walking the command line's own tree, so that a
// verb cannot be missing. Called by main; the pages are made by docs/generate.cc, which asks the
// program.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

namespace xs::cli {

// The verbs `completion SHELL` and, for the pages only, `manual`, which no help lists.
void add_companion_words(CLI::App& app, std::string& shell);
// What one of them prints; nothing when another verb is asked for.
std::optional<std::string> companion_words(const CLI::App& app, const std::string& shell);

}  // namespace xs::cli
