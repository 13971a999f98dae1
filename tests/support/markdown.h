// SPDX-License-Identifier: MIT
// The tables of our documents, for the tests that hold them against the code.
#pragma once

#include <string>
#include <vector>

namespace xs::test {

using MarkdownRow = std::vector<std::string>;

// A document of ours, by its path in the repository.
std::string document(const std::string& path);

// The cells of the first table that follows `after`, without its two header rows. Empty when there
// is none.
std::vector<MarkdownRow> markdown_table(const std::string& text, const std::string& after);

}  // namespace xs::test
