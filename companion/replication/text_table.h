// SPDX-License-Identifier: MIT
// A table for people, as psql prints one: a heading, a line, a row a line. Pure. Called by whatever
// shows a list of the database's or of a Central Server's.
#pragma once

#include <string>
#include <vector>

namespace xs {

using TextRow = std::vector<std::string>;

// The first row is the heading; all are as long. Cells are escaped already.
std::string text_table(const std::vector<TextRow>& rows);

// A word of the server's as a cell: escaped, "-" where it says nothing.
std::string shown(const std::string& text);

}  // namespace xs
