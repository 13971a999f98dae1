// SPDX-License-Identifier: MIT
// `xroad-sync authorize`: from a secondary's public key to the line of authorized_keys that lets it
// do one thing only: talk to xroad-sync-server.
#pragma once

#include <string>
#include <string_view>

namespace xs::cli {

inline constexpr std::string_view kServerProgram = "/usr/bin/xroad-sync-server";

// `text`: the contents of a public key file, one key. Throws Usage, with the reason and what to do,
// for anything else: a private key, options in front of the key, a key that we would not use
// ourselves.
std::string authorized_line(std::string_view text, std::string_view server);

// Prints the line for the key in `file`.
void authorize(const std::string& file, const std::string& server);

}  // namespace xs::cli
