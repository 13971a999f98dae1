// SPDX-License-Identifier: MIT
// SshSession: a libssh session that never waits by itself. The socket is ours, libssh is
// non-blocking, and every call that is not done yet is repeated behind our own poll with our own
// deadline. Made by the login, kept by the ssh stream. What breaks is an Error that names the
// server; what does not end in time is one of class Timeout.
#pragma once

#include <libssh/libssh.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "protocol/known_hosts.h"

namespace xs {

struct FreeSshSession {
  bool tell = true;  // the server, that we disconnect
  void operator()(ssh_session session) const {
    if (tell) ::ssh_disconnect(session);
    ::ssh_free(session);
  }
};
using SshSessionHandle = std::unique_ptr<ssh_session_struct, FreeSshSession>;

// A session on which no file of ~/.ssh has a say.
SshSessionHandle new_ssh_session();

// Key exchange, ciphers and so on as we want them; `known` are the types of the host's keys that we
// know, in the form of known_hosts.
struct SshAlgorithms {
  std::string key_exchange;
  std::string ciphers;
  std::string macs;
  std::string host_keys;
};
SshAlgorithms ssh_algorithms(const std::vector<std::string>& known, bool cpu_has_aes);
bool cpu_has_aes();

class SshSession {
 public:
  // `name` is the server in messages: "host port 22".
  SshSession(std::string name, Clock& clock);

  // From the banner to the end of the key exchange.
  void handshake(Fd connection, const SshAlgorithms& algorithms, Instant deadline);
  HostKey host_key() const;

  // Repeats `call` until it returns something else than `again`. SSH_ERROR (which SSH_AUTH_ERROR
  // equals) when the connection is gone: libssh goes on to say `again` after a disconnect.
  template <class Call>
  int drive(int again, Instant deadline, std::string_view doing, Call call) {
    for (;;) {
      quick_ack();
      const int rc = call();
      if (rc != again) return rc;
      if (::ssh_is_connected(get()) == 0) return SSH_ERROR;
      if (clock_.now() >= deadline) throw too_late(doing);
      wait((::ssh_get_poll_flags(get()) & SSH_WRITE_PENDING) != 0, deadline);
    }
  }

  // Sends what libssh holds back; whether something is left.
  bool output_pending() const { return ::ssh_blocking_flush(get(), 0) == SSH_AGAIN; }
  void wait(bool for_write, Instant deadline);
  void quick_ack() const;
  // The bytes that the kernel holds for us.
  std::size_t unread() const;

  // The destructor closes the connection without a word.
  void leave() { handle_.get_deleter().tell = false; }

  ssh_session get() const { return handle_.get(); }
  const std::string& name() const { return name_; }
  // What libssh has to say about its last failure, escaped.
  std::string reason() const;

 private:
  void set(ssh_options_e option, const std::string& value);
  Error too_late(std::string_view doing) const;

  std::string name_;
  Clock& clock_;
  SshSessionHandle handle_;
};

}  // namespace xs
