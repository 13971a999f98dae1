// SPDX-License-Identifier: MIT
#include "companion/replication/server_state.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/connection.h"

namespace xs {
namespace {

namespace fs = std::filesystem;

// "postgres: 15/main: walreceiver streaming 0/3000148" of a child of the postmaster.
std::string receiver_title(pid_t postmaster) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string directory = entry.path().string();
    if (!parse_number(entry.path().filename().string())) continue;
    try {
      const auto stat = read_file_if_exists(directory + "/stat", 4096);
      if (!stat) continue;
      // "PID (name) S PPID ..."; a name may hold anything.
      const std::size_t end = stat->rfind(") ");
      if (end == std::string::npos || end + 4 > stat->size()) continue;
      const std::string rest = stat->substr(end + 4);
      if (parse_number(rest.substr(0, rest.find(' '))) != static_cast<unsigned>(postmaster)) {
        continue;
      }
      const auto title = read_file_if_exists(directory + "/cmdline", 4096);
      if (title && title->find("walreceiver") != std::string::npos) return *title;
    } catch (const Error&) {
      continue;  // it has ended
    }
  }
  return "";
}

void read_titles(ServerState& state, pid_t postmaster) {
  const std::string title = receiver_title(postmaster);
  constexpr std::string_view kWord = "streaming ";
  const std::size_t at = title.find(kWord);
  if (at == std::string::npos) return;
  state.streams = true;
  std::string position = title.substr(at + kWord.size());
  position.resize(std::min(position.find_first_not_of("0123456789ABCDEFabcdef/"), position.size()));
  try {
    state.received = parse_lsn(position);
  } catch (const Error&) {
    state.received.reset();  // it has just begun
  }
}

void read_answers(ServerState& state, Db& db, const Cluster& cluster, Instant deadline) {
  state.status = read_replication(db, cluster.owner, deadline);
  state.standby = state.status->standby;
  state.received = state.status->received;
  if (!state.status->receiver) return;
  state.streams = state.status->receiver->status == "streaming";
  state.timeline = state.status->receiver->timeline;
}

}  // namespace

std::unique_ptr<Db> open_server(const Cluster& cluster, Clock& clock, Instant deadline,
                                std::chrono::milliseconds longest) {
  const AsOwner rights(cluster.user);
  try {
    return std::make_unique<Db>(local_target(cluster), clock, deadline, longest);
  } catch (const Error& error) {
    throw Error(Fault::Io, "this node's database: " + error.text());
  }
}

ServerState look_at_server(const Cluster& cluster, Clock& clock, Instant deadline) {
  ServerState state;
  const auto server = find_server(cluster);
  state.runs = server.has_value();
  bool data = false;
  {
    const AsOwner rights(cluster.user);
    data = data_version(cluster.data).has_value();
  }
  if (!data) throw Error(Fault::Usage, "there is no database in " + quote(cluster.data));
  state.control = read_control(cluster, cluster.data, clock);
  state.standby = state.control.state.find("recovery") != std::string::npos &&
                  state.control.state != "in crash recovery";
  if (!server) return state;
  try {
    const auto db = open_server(cluster, clock, deadline);
    read_answers(state, *db, cluster, deadline);
  } catch (const Error& error) {
    state.silence = error.text();
    read_titles(state, server->pid);
  }
  return state;
}

std::string configured(const Cluster& cluster, const std::string& setting, Clock& clock) {
  Command command;
  command.argv = {cluster.bin + "/postgres", "-D", cluster.config, "-C", setting};
  std::string text = run_command(cluster, command, clock);
  // Before it may stand what it logs, such as an include_if_exists without its file.
  if (text.ends_with('\n')) text.pop_back();
  return std::string(trim(std::string_view(text).substr(text.rfind('\n') + 1)));
}

}  // namespace xs
