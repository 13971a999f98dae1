// SPDX-License-Identifier: MIT
// SshAgent: the user's ssh-agent, asked by us instead of by libssh, which would offer every key of
// the agent in the agent's order and would wait for it without a deadline. Called by the login.
// Problems with the agent are never fatal: it then simply has no keys, and trouble() says why.
#pragma once

#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "protocol/known_hosts.h"

namespace xs {

class SshAgent {
 public:
  struct Identity {
    HostKey key;
    std::string comment;
  };

  // Asks the agent behind the socket for its keys. An empty path: no agent.
  SshAgent(const std::string& socket_path, Clock& clock, Instant deadline);
  ~SshAgent();
  SshAgent(const SshAgent&) = delete;
  SshAgent& operator=(const SshAgent&) = delete;

  const std::vector<Identity>& identities() const { return identities_; }
  const std::string& trouble() const { return trouble_; }

  // A socket on which the agent seems to hold just these keys, for libssh. A thread passes its
  // requests on, because libssh blocks while it waits for an answer; at the deadline it answers
  // with an end. At most once. libssh closes the socket.
  Fd serve(const std::vector<Identity>& chosen, Instant deadline);

 private:
  void list(const std::string& socket_path, Instant deadline);

  Clock& clock_;
  Fd agent_;
  Fd inner_;  // the far side of what serve() gave away
  Fd stop_;
  std::thread thread_;
  std::vector<Identity> identities_;
  std::string trouble_;
};

}  // namespace xs
