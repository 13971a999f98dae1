// SPDX-License-Identifier: MIT
// SCRAM-SHA-256 as PostgreSQL keeps it (RFC 5802, pg_authid.rolpassword): so that a password never
// travels to a server in the clear, where a log may catch it, and so that one that is set already
// is known again. Passwords are printable ASCII, for which SASLprep changes nothing.
#pragma once

#include <string>
#include <string_view>

namespace xs {

// "SCRAM-SHA-256$4096:SALT$STORED:SERVER" with a salt of its own.
std::string scram_verifier(std::string_view password);
bool scram_matches(std::string_view verifier, std::string_view password);

// The first line of a file that only its owner can read. Throws Usage for one that others can
// read, that is empty or holds anything but printable ASCII; the password is in no message.
std::string read_password(const std::string& file);

}  // namespace xs
