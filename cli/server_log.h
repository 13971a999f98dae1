// SPDX-License-Identifier: MIT
// ServerLog: who fetched what, one line a session, to the journal or to syslog. Made by the
// server's main before the sandbox, because it cannot connect from inside. A log that cannot be
// reached ends no session. Names are escaped; nothing of a file's contents is ever written.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/server_config.h"
#include "sync/sender.h"

namespace xs::cli {

// The client as sshd tells it in the environment.
struct Caller {
  std::string address = "unknown";
  std::string port = "unknown";
  std::string key = "unknown";  // "SHA256:..."; sshd tells it with "ExposeAuthInfo yes"
};
// SSH_CONNECTION ("address port address port") and the contents of the file that SSH_USER_AUTH
// names. What is malformed is unknown.
Caller caller_of(std::string_view connection, std::string_view auth_info);
// From this process's environment, which is then emptied: a client may set some of it.
Caller take_caller();

struct SessionEnd {
  std::string result;  // what the client said, or why it was refused
  bool failed = false;
  std::uint64_t sent = 0;  // bytes on the wire
  std::uint64_t received = 0;
  Duration time{};
};
std::string session_line(const Caller& caller, const SessionAccount& account,
                         const SessionEnd& end);

class ServerLog {
 public:
  explicit ServerLog(const ServerConfig& config);
  void write(bool failed, const std::string& line) noexcept;

 private:
  std::shared_ptr<spdlog::logger> journal_;
  Fd syslog_;
};

}  // namespace xs::cli
