// SPDX-License-Identifier: MIT
// Sizes and rates as rsync's options write them (--max-size, --min-size, --bwlimit): a decimal
// number with a unit, K M G T P for powers of 1024 (also KiB), KB MB ... for powers of 1000, B for
// bytes; "+1" or "-1" behind it. Pure; called by the command line. Usage errors quote the text and
// give the byte position.
#pragma once

#include <cstdint>
#include <string_view>

namespace xs {

// `unit`: what a number without one is in, 'B' or 'K'.
std::uint64_t parse_size(std::string_view option, std::string_view text, char unit = 'B');

// Bytes a second, for --bwlimit in KiB unless it says otherwise; 0: no limit. Less than 512 is
// refused.
std::uint64_t parse_rate(std::string_view text);

}  // namespace xs
