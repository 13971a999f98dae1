// SPDX-License-Identifier: MIT
#include "protocol/transport.h"

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "protocol/process_stream.h"
#include "protocol/remote_shell.h"
#include "protocol/ssh_stream.h"

namespace xs {
namespace {

// For a ~ in the options of -e; empty where we have no account, and then such a path is ssh's to
// expand.
std::string own_home() {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const int err = ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
  return err == 0 && found != nullptr ? found->pw_dir : "";
}

SshTarget target_of(const Endpoint& endpoint, const RemoteShell& shell,
                    const TransportOptions& options) {
  SshTarget target;
  target.host = endpoint.host;
  target.port = shell.port.value_or(target.port);
  // As with ssh, which is handed "-l user" behind the words of -e and takes the first.
  target.user = shell.user.value_or(endpoint.user.value_or(""));  // empty: whoever we are
  target.command = options.remote_program;
  target.use_ssh_config = options.use_ssh_config;
  target.identity_files = shell.identity_files;
  target.known_hosts_files = shell.known_hosts;
  if (shell.ipv4_only) target.family = AF_INET;
  if (shell.ipv6_only) target.family = AF_INET6;
  return target;
}

}  // namespace

std::string Endpoint::shown() const { return (user ? escape(*user) + "@" : "") + escape(host); }

Endpoint parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos) endpoint.user = text.substr(0, at);
  std::string_view host = at == std::string_view::npos ? text : text.substr(at + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  endpoint.host = host;
  check_remote_names(endpoint.user, endpoint.host);
  return endpoint;
}

std::unique_ptr<Stream> open_transport(const Endpoint& endpoint, const TransportOptions& options,
                                       Clock& clock) {
  const RemoteShell shell = parse_remote_shell(options.remote_shell, own_home());
  if (!shell.use_libssh) {
    return std::make_unique<ProcessStream>(
        remote_argv(shell, endpoint.user, endpoint.host, {options.remote_program}), clock,
        options.deadlines.close);
  }
  Deadlines deadlines = options.deadlines;
  if (shell.connect_timeout) deadlines.connect = *shell.connect_timeout;
  return open_ssh(target_of(endpoint, shell, options), deadlines, clock);
}

}  // namespace xs
