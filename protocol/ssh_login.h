// SPDX-License-Identifier: MIT
// The login: from a TCP connection to a session that the server has accepted. Called by open_ssh().
// The host key is judged against our own known_hosts before anything about the user is sent. A key
// file's signature is sent at once, without asking first whether the server likes the key. Nothing
// is ever prompted for or written. Faults: HostKey, Auth, Network, Timeout.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "protocol/ssh_session.h"

namespace xs {

inline constexpr std::size_t kSshAttempts = 6;  // keys tried in one login; sshd allows as many

struct SshTarget {
  std::string host;
  std::uint16_t port = 22;
  std::string user;  // empty: the name of the user that we run as
  std::string command = "xroad-sync-server";
  std::vector<std::string> identity_files;  // empty: those of ~/.ssh that exist
  bool use_agent = true;                    // the one that SSH_AUTH_SOCK names
  // Empty: /etc/xroad-sync/known_hosts, then ~/.ssh/known_hosts.
  std::vector<std::string> known_hosts_files;
  // ~/.ssh/config and /etc/ssh/ssh_config may fill in what is left at its default here: the host's
  // real name, the port, the user, one identity file.
  bool use_ssh_config = false;
  int family = AF_UNSPEC;
};

// The same with every default filled in.
SshTarget complete(SshTarget target);

// `target` is complete.
std::unique_ptr<SshSession> ssh_login(const SshTarget& target, Fd connection, Clock& clock,
                                      Instant deadline);

}  // namespace xs
