// SPDX-License-Identifier: MIT
// Manual: the parts of the manual pages that are lists of what the tables hold, in man(7) roff.
// The prose stands in docs/man/*.in; a line @NAME@ there is where such a part goes. Called by the
// generator of the pages (docs/generate.cc) and by the test that holds the pages equal to it. Pure.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace xs::cli {

// The page, with its parts put in; `more` has the parts of another program. An unknown @NAME@ is
// Usage.
std::string manual_page(std::string_view prose,
                        const std::map<std::string, std::string, std::less<>>& more = {});

// The same with a new sentence on a new line, as roff wants it; ends with a newline.
std::string sentences(std::string_view text);

// For running text: a hyphen, a backslash or a dot is not roff's.
std::string roff(std::string_view text);

}  // namespace xs::cli
