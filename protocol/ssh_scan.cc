// SPDX-License-Identifier: MIT
#include "protocol/ssh_scan.h"

#include <sys/socket.h>

#include <exception>

#include "base/error.h"
#include "base/text.h"
#include "protocol/ssh_session.h"
#include "protocol/tcp_connect.h"

namespace xs {

std::vector<HostKey> scan_host_keys(const std::string& host, std::uint16_t port,
                                    const Deadlines& deadlines, Clock& clock) {
  const std::string name = quote(host) + " port " + std::to_string(port);
  std::vector<HostKey> keys;
  std::exception_ptr failure;
  for (const char* types :
       {"ssh-ed25519", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
        "rsa-sha2-512,rsa-sha2-256"}) {
    // Without a connection no other type will do better; a refused key exchange may just mean
    // another type.
    Fd connection = tcp_connect(host, port, AF_UNSPEC, clock, clock.now() + deadlines.connect);
    try {
      SshSession session(name, clock);
      SshAlgorithms algorithms = ssh_algorithms({}, cpu_has_aes());
      algorithms.host_keys = types;
      session.handshake(std::move(connection), algorithms, clock.now() + deadlines.login);
      keys.push_back(session.host_key());
    } catch (const Error&) {
      failure = std::current_exception();
    }
  }
  if (keys.empty()) std::rethrow_exception(failure);
  return keys;
}

}  // namespace xs
