// SPDX-License-Identifier: MIT
// Paint: colour for people, where they look on: a terminal that can show it, unless --color or
// NO_COLOR says otherwise (load_config.h resolves those). Never the only carrier of a meaning.
#pragma once

#include <unistd.h>

#include <string>

#include "cli/config.h"

namespace xs::cli {

enum class Paint : char { Red = '1', Green = '2', Yellow = '3' };

inline std::string painted(const std::string& text, Paint paint, Color color, int fd) {
  const bool wanted = color == Color::Always || (color == Color::Auto && ::isatty(fd) == 1);
  if (!wanted) return text;
  return std::string("\033[3") + static_cast<char>(paint) + "m" + text + "\033[0m";
}

}  // namespace xs::cli
