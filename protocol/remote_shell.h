// SPDX-License-Identifier: MIT
// RemoteShell: what a -e/--rsh string asks for, pure. Either our own libssh session can do all of
// it, or the program is started as it stands; nothing that was asked for is ever dropped. Called by
// the client's main. Words are divided by spaces only. ' and " group, doubled inside themselves
// they stand for themselves; there is no other escape and no shell, as in rsync. Values of ssh
// options follow ssh: the first one wins, except that identity files add up and that -4 and -6
// outweigh AddressFamily and each other.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xs {

struct RemoteShell {
  bool use_libssh = false;
  std::vector<std::string> argv;  // the words, in either case

  // All below only with use_libssh, and only what the string says.
  std::optional<std::uint16_t> port;
  std::optional<std::string> user;
  std::optional<std::chrono::milliseconds> connect_timeout;
  std::vector<std::string> identity_files;
  std::vector<std::string>
      known_hosts;  // the user's, then the global ones, in place of the defaults
  bool ipv4_only = false;
  bool ipv6_only = false;

  bool operator==(const RemoteShell&) const = default;
};

// Throws Usage when the string is empty or a quote is not closed. `home` stands for a leading ~ of
// a file; when it is empty such a file is left to the program.
RemoteShell parse_remote_shell(std::string_view command, std::string_view home = {});

// The argument vector: the words, -l and the user where there is one, the host, the remote command.
// Throws Usage for names that check_remote_names() refuses and for an empty remote command.
std::vector<std::string> remote_argv(const RemoteShell& shell,
                                     const std::optional<std::string>& user,
                                     const std::string& host,
                                     const std::vector<std::string>& remote_command);

// Throws Usage when the host or the user is empty, begins with '-' (ssh would read an option), or
// holds blanks, control characters or what a shell behind ssh could read as its own (ProxyCommand,
// Match exec).
void check_remote_names(const std::optional<std::string>& user, std::string_view host);

}  // namespace xs
