// SPDX-License-Identifier: MIT
// Log set-up: one logger over up to three sinks (stderr, a file, the systemd journal). Called once
// by main(). A line can never be forged: every sink escapes control characters again, whatever the
// caller passed.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"

namespace xs {

struct LogConfig {
  std::string identifier = "xroad-sync";  // the program, for the journal and for stderr
  spdlog::level::level_enum level = spdlog::level::info;
  bool to_stderr = true;
  std::string file;  // "2026/11/20 11:42:01 [10505] text"; empty: none
  bool to_journal = false;
  std::string journal_socket = "/run/systemd/journal/socket";
};

// Opened for appending, created 0640, and refused when it is a symbolic link, not a regular file,
// or owned by somebody who is neither root nor us. Throws Io with the reason.
Fd open_log_file(const std::string& path);

// The file is opened by open_log_file().
std::shared_ptr<spdlog::logger> make_logger(const LogConfig& config);

// Makes it the default logger, so that spdlog::info() and its like reach it.
void install_logger(const LogConfig& config);

// One datagram of the journal's native protocol. Fields are NAME=value pairs; values may hold any
// byte.
struct JournalField {
  std::string name;
  std::string value;
};
std::string journal_datagram(const std::vector<JournalField>& fields);

// The way to the journal. A datagram is lost when the journal is stopped or stuck: a log must never
// block or end a sync.
class JournalSocket {
 public:
  explicit JournalSocket(const std::string& path);  // throws Io
  void send(const std::vector<JournalField>& fields) const noexcept;

 private:
  Fd socket_;
};

}  // namespace xs
