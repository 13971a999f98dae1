// SPDX-License-Identifier: MIT
// The block of lines that is ours in a configuration file of somebody else: found, put in and
// replaced as pure text, and the difference shown as people read it. All other lines stay as they
// are, byte for byte. A file with damaged markers (one without the other, two of them, out of
// order) is an Error of class Io that names it: nobody can know what is ours there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xs {

enum class BlockPlace {
  Top,  // before everything: the first line that matches wins (pg_hba.conf)
  End   // behind everything, later left where it is: the last value wins (postgresql.conf)
};

// `lines`: what stands between the markers, each line with its end.
std::string with_block(std::string_view text, std::string_view lines, BlockPlace place,
                       const std::string& file);
std::optional<std::string> find_block(std::string_view text, const std::string& file);
std::string without_block(std::string_view text, const std::string& file);

// For people. What a connection string calls a password, in whatever quotes, is not shown.
std::string without_passwords(std::string_view line);

// "--- FILE\n+++ FILE\n@@ ...": one hunk with three lines around it, without passwords; "" when
// nothing differs.
std::string unified_diff(const std::string& file, std::string_view before, std::string_view after);

// A value as postgresql.conf wants it: 'it''s'. Throws Usage for a line end or a NUL in it.
std::string conf_quote(std::string_view value);

}  // namespace xs
