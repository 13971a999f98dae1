// SPDX-License-Identifier: MIT
#include "tests/support/markdown.h"

#include <algorithm>
#include <sstream>

#include "base/io.h"
#include "base/text.h"

namespace xs::test {

std::string document(const std::string& path) {
  return read_file(XS_SOURCE_DIR "/" + path, 1U << 20);
}

std::vector<MarkdownRow> markdown_table(const std::string& text, const std::string& after) {
  std::istringstream lines(text.substr(std::min(text.find(after), text.size())));
  std::vector<MarkdownRow> rows;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("|")) {
      if (rows.empty()) continue;
      break;
    }
    MarkdownRow row;
    std::istringstream cells(line.substr(1));
    for (std::string cell; std::getline(cells, cell, '|');) row.emplace_back(trim(cell));
    rows.push_back(std::move(row));
  }
  rows.erase(rows.begin(), rows.begin() + std::min<std::ptrdiff_t>(2, std::ssize(rows)));
  return rows;
}

}  // namespace xs::test
