// SPDX-License-Identifier: MIT
// `xroad-sync authorize`: from a secondary's public key to the line of authorized_keys that lets it
// do one thing only: talk to xroad-sync-server. Printed, or put where sshd reads it and the account
// cannot change it.
#pragma once

#include <string>
#include <string_view>

namespace xs::cli {

inline constexpr std::string_view kServerProgram = "/usr/bin/xroad-sync-server";

struct AuthorizeRequest {
  std::string key_file;
  // A path, or "PATH --config FILE": what sshd hands to the account's shell.
  std::string server{kServerProgram};
  bool install = false;
  std::string user = "xroad-slave";  // into its .ssh/authorized_keys
  std::string file;                  // instead of that: sshd's AuthorizedKeysFile for the account
};

// `text`: the contents of a public key file, one key. Throws Usage, with the reason and what to do,
// for anything else: a private key, options in front of the key, a key that we would not use
// ourselves; and for a server command that a shell could read in another way.
std::string authorized_line(std::string_view text, std::string_view server);

// The file with the line in it: unchanged where it is there, in the place of every line that lets
// the same key in otherwise, at the end for a new key. All other lines stay, byte for byte.
std::string with_authorized_line(std::string_view file, const std::string& line);

// Prints the line for the key; or installs it, only as root: the file is root's, 0644, in a
// directory that is root's, 0755, so that the account cannot let anybody else in. No symbolic link
// on the way is followed.
void authorize(const AuthorizeRequest& request);

}  // namespace xs::cli
