// SPDX-License-Identifier: MIT
// Transport: from what the operator wrote ([user@]host and perhaps -e) to a Stream. Called by the
// client's mains. Our own libssh client serves plain ssh; any other remote shell, or an ssh with
// options that only OpenSSH knows, is started as a program.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "protocol/limits.h"
#include "protocol/stream.h"

namespace xs {

struct Endpoint {
  std::optional<std::string> user;
  std::string host;
  // For messages: user@host, escaped.
  std::string shown() const;
  bool operator==(const Endpoint&) const = default;
};

// "host", "user@host", "user@[::1]". Throws Usage with the reason for names that no ssh should be
// handed.
Endpoint parse_endpoint(std::string_view text);

struct TransportOptions {
  std::string remote_shell = "ssh";
  std::string remote_program =
      "xroad-sync-server";      // a forced command at the other side outweighs it
  bool use_ssh_config = false;  // let our own client read ~/.ssh/config and /etc/ssh/ssh_config
  Deadlines deadlines;
};

std::unique_ptr<Stream> open_transport(const Endpoint& endpoint, const TransportOptions& options,
                                       Clock& clock);

}  // namespace xs
