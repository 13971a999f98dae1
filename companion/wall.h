// SPDX-License-Identifier: MIT
// Wall: the calendar, which certificates, configurations and status files are judged by. Handed to
// the checks that need it, so that a test can live in any year. Never used to wait: that is Clock.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace xs {

using Wall = std::function<std::int64_t()>;  // seconds since the epoch, UTC

std::int64_t wall_now();

// "2035-11-07T04:52:26Z"
std::string utc_text(std::int64_t seconds);
// An RFC 3339 date and time with its offset, as X-Road writes them; fractions are cut off. Nothing
// when it is anything else.
std::optional<std::int64_t> parse_utc(std::string_view text);
// "Tue, 15 Nov 1994 08:12:31 GMT", as HTTP's Date has it.
std::optional<std::int64_t> parse_http_date(const std::string& text);

// "47 s", "12 min", "3 h", "5 days": how long something took or is ago.
std::string span_text(std::int64_t seconds);

}  // namespace xs
