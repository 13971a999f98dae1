// SPDX-License-Identifier: MIT
// Mask: what of a file may be shown to whoever reads a diff. Pure. Decides by names and by
// contents, line by line, without knowing the format; in doubt it hides. That a secret changed is
// told, never how. What it cannot know: a secret under a harmless name, and one whose name stands
// in another line of the same JSON object ("value": ..., then "name": "password").
#pragma once

#include <string>
#include <string_view>

namespace xs {

// Files of which nothing is ever shown: PKCS#12 and other key stores, private keys, autologin,
// password files; and what holds a PEM private key, whatever its name.
bool is_secret_file(std::string_view path, std::string_view bytes);

// Whether a key or element of this name holds a secret: like password, passphrase, pin, secret,
// token, credential, api key, whatever its case and separators.
bool is_secret_name(std::string_view name);

// The text with "********" for everything that follows a secret name: to the end of its line, and
// for as long as the value goes on (quotes, backslashes, deeper lines, XML elements and tags). Also
// credentials in URLs, and PEM private keys. As many lines as before.
std::string mask(std::string_view text);

// The diff of one path as an operator may see it; "" when nothing changed.
std::string masked_diff(std::string_view path, std::string_view before, bool existed,
                        std::string_view after, bool exists);

}  // namespace xs
