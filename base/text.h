// SPDX-License-Identifier: MIT
// Text: how bytes that somebody else chose (file names, a peer's words, a banner) are shown to
// people. Everything that reaches a terminal, a log or an error message goes through escape().
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace xs {

// Control characters, bytes that are not UTF-8, and the code points that steer a terminal or
// reorder a line (C1, bidirectional marks, line and paragraph separators) become \#ooo, byte by
// byte, as rsync writes them; all other UTF-8 stays. A literal \#ooo has its backslash escaped, so
// unescape() gives back the bytes.
std::string escape(std::string_view bytes);
std::string unescape(std::string_view text);

// escape() for a line that holds escaped names already: a literal \#ooo stays as it is.
std::string escape_again(std::string_view line);

bool is_utf8(std::string_view bytes);

// escape() between single quotes.
std::string quote(std::string_view bytes);

// The first `limit` bytes, escaped, with "..." where more followed.
std::string excerpt(std::string_view bytes, std::size_t limit);

std::string hex(std::string_view bytes);
std::string_view trim(std::string_view text);

// A whole decimal number without sign, blanks or leading text; nothing when it is not one or does
// not fit.
std::optional<unsigned long long> parse_number(std::string_view text);

}  // namespace xs
