// SPDX-License-Identifier: MIT
// Mask: what of a file may be shown to whoever reads a diff. Pure. Decides by the name and by the
// contents; in doubt it hides. A changed secret is told to have changed, never how.
#pragma once

#include <string>
#include <string_view>

namespace xs {

// Files of which nothing is ever shown: PKCS#12, private keys, autologin, and what holds a PEM
// private key, whatever its name.
bool is_secret_file(std::string_view path, std::string_view bytes);

// The text with the values of secrets replaced by "********": what is named like password, passwd,
// pin, secret, token, passphrase or key in ini, properties, yml, env, json and xml (elements and
// attributes), credentials in URLs, and PEM private keys. Lines stay lines, so that a diff lines
// up. Values that differ are made to look different ("********", "******** (changed)") by the
// caller's diff of both sides: see masked_diff().
std::string mask(std::string_view text);

// The diff of one path as an operator may see it.
struct MaskedDiff {
  std::string text;
  bool secret = false;  // only that it changed is told
};
MaskedDiff masked_diff(std::string_view path, std::string_view before, bool existed,
                       std::string_view after, bool exists);

}  // namespace xs
