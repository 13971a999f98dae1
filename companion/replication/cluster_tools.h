// SPDX-License-Identifier: MIT
// The programs of PostgreSQL, run for one cluster: as its owner, with nothing of our environment,
// each with a limit of time; and what the cluster's own files say of its server. Called by the
// verbs that change a cluster. A program that fails is an Error of class Action with its last
// words; a file that is not what it should be, of class Io.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "companion/jdbc.h"
#include "companion/replication/cluster.h"

namespace xs {

struct Command {
  std::vector<std::string> argv;         // argv[0] is a path
  std::vector<std::string> environment;  // NAME=value, on top of plain_environment()
  Duration limit = std::chrono::seconds(60);
  bool as_owner = true;       // else as whom we are
  bool ends_with_us = false;  // also when we are killed
};

// The line that a person would type for it.
std::string command_text(const Cluster& cluster, const Command& command);
// Words as a shell takes them.
std::string shell_words(const std::vector<std::string>& words);

// What it printed, at most 64 KiB.
std::string run_command(const Cluster& cluster, const Command& command, Clock& clock);

// `limit`: how long a server may take to recover, or to see its last client out.
Command start_command(const Cluster& cluster, Duration limit = std::chrono::minutes(5));
Command stop_command(const Cluster& cluster, Duration limit = std::chrono::minutes(2));
Command restart_command(const Cluster& cluster, Duration limit = std::chrono::minutes(5));
Command reload_command(const Cluster& cluster);

struct ServerProcess {
  pid_t pid = 0;
  std::uint16_t port = 0;
  std::string sockets;  // empty: none
};
// The server of this data directory, by its postmaster.pid; nothing when none runs.
std::optional<ServerProcess> find_server(const Cluster& cluster);
// Ends with no server on the data directory, whoever has started it: stopping a unit does nothing,
// and says that all is well, when the server was started outside it. Throws Action when it is left.
void stop_server(const Cluster& cluster, Clock& clock);
// Throws Refused while one runs there: whoever renames the directory of a live server has it write
// on, and into whatever takes the directory's place.
void require_no_server(const Cluster& cluster);

// What pg_controldata says of a data directory, also of a stopped one.
struct ControlData {
  std::string state;      // "in production", "shut down", "in archive recovery", ...
  std::string system_id;  // equal in a primary and all its standbys
  unsigned timeline = 0;
  std::string checkpoint;  // "0/3000060"
  bool checksums = false;
  bool wal_log_hints = false;
  std::string text;  // all of it

  bool stopped_cleanly() const { return state.starts_with("shut down"); }
};
ControlData read_control(const Cluster& cluster, const std::string& data, Clock& clock);
ControlData parse_control(std::string_view text);

// Over the local socket as the cluster's owner: connect while an AsOwner lives. Where the server
// runs, its own port and socket count.
DbTarget local_target(const Cluster& cluster, const std::string& database = "postgres");

}  // namespace xs
