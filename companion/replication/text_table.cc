// SPDX-License-Identifier: MIT
#include "companion/replication/text_table.h"

#include <algorithm>

#include "base/text.h"

namespace xs {
namespace {

// What takes one column on a terminal: the beginnings of UTF-8 characters.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

}  // namespace

std::string text_table(const std::vector<TextRow>& rows) {
  std::vector<std::size_t> widths(rows.at(0).size(), 0);
  for (const TextRow& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      line += (i == 0 ? " " : " | ") + rows[n][i] + std::string(widths[i] - width(rows[n][i]), ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    if (n > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += (i == 0 ? "-" : "+-") + std::string(widths[i] + 1, '-');
    }
    text += "\n";
  }
  return text;
}

std::string shown(const std::string& text) { return text.empty() ? "-" : escape(text); }

}  // namespace xs
