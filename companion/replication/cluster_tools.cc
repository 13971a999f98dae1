// SPDX-License-Identifier: MIT
#include "companion/replication/cluster_tools.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

constexpr std::size_t kOutput = 64U << 10;

std::string seconds_of(Duration limit) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(limit).count());
}

Command systemctl(const Cluster& cluster, const char* verb, Duration limit) {
  Command command;
  command.argv = {cluster.systemctl, verb, cluster.service};
  command.limit = limit;
  command.as_owner = false;
  return command;
}

// It changes to the owner by itself, and tells systemd where there is one.
Command pg_ctlcluster(const Cluster& cluster, std::vector<std::string> words, Duration limit) {
  Command command;
  command.argv = {"/usr/bin/pg_ctlcluster", std::to_string(cluster.major), cluster.name};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.limit = limit;
  command.as_owner = false;
  return command;
}

// The configuration's directory, from which PostgreSQL finds its data. The log of the start lies
// beside the data, which a base backup would copy.
Command pg_ctl(const Cluster& cluster, std::vector<std::string> words, Duration limit) {
  Command command;
  command.argv = {cluster.bin + "/pg_ctl", "-D", cluster.config};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.limit = limit;
  return command;
}

// pg_ctl gives up first, so that its own words are heard.
std::string pg_ctl_limit(Duration limit) {
  return seconds_of(std::max<Duration>(limit - std::chrono::seconds(5), std::chrono::seconds(1)));
}

// The last lines say why; before them stand pages of progress.
std::string last_words(const ChildResult& result) {
  constexpr std::size_t kEnough = 400;
  std::string_view text = trim(result.output);
  if (text.size() > kEnough) text.remove_prefix(text.size() - kEnough);
  std::string line;
  for (const char c : text) line += c == '\n' ? ' ' : c;
  return escape(line);
}

bool lives(pid_t pid, const std::string& data) {
  if (::kill(pid, 0) != 0 && errno == ESRCH) return false;
  // The number may be somebody else's by now. A server works in its data directory.
  std::array<char, 4096> link{};
  const std::string path = "/proc/" + std::to_string(pid) + "/cwd";
  const ssize_t size = ::readlink(path.c_str(), link.data(), link.size());
  // A process that has ended and that nobody has asked after yet works nowhere.
  if (size < 0) return errno != ENOENT;
  return std::string_view(link.data(), static_cast<std::size_t>(size)) == data;
}

}  // namespace

std::string shell_words(const std::vector<std::string>& words) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:=,@%+";
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

std::string command_text(const Cluster& cluster, const Command& command) {
  std::vector<std::string> words;
  if (command.as_owner && ::getuid() == 0) words = {"sudo", "-u", cluster.owner};
  if (!command.environment.empty() && words.empty()) words = {"env"};
  words.insert(words.end(), command.environment.begin(), command.environment.end());
  words.insert(words.end(), command.argv.begin(), command.argv.end());
  return escape(shell_words(words));
}

std::string run_command(const Cluster& cluster, const Command& command, Clock& clock) {
  ChildRequest request;
  request.argv = command.argv;
  request.environment = plain_environment();
  request.environment.insert(request.environment.end(), command.environment.begin(),
                             command.environment.end());
  request.limit = command.limit;
  request.output_limit = kOutput;
  request.ends_with_us = command.ends_with_us;
  request.user = command.as_owner ? cluster.user : user_of_process();
  ChildResult result = run_child(request, clock);
  if (result.ok()) return std::move(result.output);
  throw Error(Fault::Action, escape(shell_words({command.argv.front()})) + " " + result.words() +
                                 (result.output.empty() ? "" : ": " + last_words(result)));
}

Command start_command(const Cluster& cluster, Duration limit) {
  switch (cluster.starter) {
    case Starter::Systemd: return systemctl(cluster, "start", limit);
    case Starter::PgCtlCluster: return pg_ctlcluster(cluster, {"start"}, limit);
    case Starter::PgCtl: break;
  }
  return pg_ctl(cluster,
                {"-w", "-s", "-t", pg_ctl_limit(limit), "-l", cluster.data + ".start.log", "-o",
                 "-p " + std::to_string(cluster.port), "start"},
                limit);
}

Command stop_command(const Cluster& cluster, Duration limit) {
  switch (cluster.starter) {
    case Starter::Systemd: return systemctl(cluster, "stop", limit);
    case Starter::PgCtlCluster: return pg_ctlcluster(cluster, {"stop", "-m", "fast"}, limit);
    case Starter::PgCtl: break;
  }
  return pg_ctl(cluster, {"-w", "-s", "-t", pg_ctl_limit(limit), "-m", "fast", "stop"}, limit);
}

Command restart_command(const Cluster& cluster, Duration limit) {
  switch (cluster.starter) {
    case Starter::Systemd: return systemctl(cluster, "restart", limit);
    case Starter::PgCtlCluster: return pg_ctlcluster(cluster, {"restart", "-m", "fast"}, limit);
    case Starter::PgCtl: break;
  }
  return pg_ctl(
      cluster,
      {"-w", "-s", "-t", pg_ctl_limit(limit), "-m", "fast", "-l", cluster.data + ".start.log", "-o",
       "-p " + std::to_string(cluster.port), "restart"},
      limit);
}

Command reload_command(const Cluster& cluster) {
  constexpr Duration kLimit = std::chrono::seconds(60);
  switch (cluster.starter) {
    case Starter::Systemd: return systemctl(cluster, "reload", kLimit);
    case Starter::PgCtlCluster: return pg_ctlcluster(cluster, {"reload"}, kLimit);
    case Starter::PgCtl: break;
  }
  return pg_ctl(cluster, {"-s", "reload"}, kLimit);
}

std::optional<ServerProcess> find_server(const Cluster& cluster) {
  const AsOwner rights(cluster.user);
  const auto text = read_file_if_exists(cluster.data + "/postmaster.pid", 8192);
  if (!text) return std::nullopt;
  std::vector<std::string> lines;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    lines.emplace_back(trim(rest.substr(0, end)));
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  lines.resize(std::max<std::size_t>(lines.size(), 8));
  const auto pid = parse_number(lines[0]);
  const auto port = parse_number(lines[3]);
  if (!pid || *pid < 2 || *pid > 0x7fffffffU || !lives(static_cast<pid_t>(*pid), cluster.data)) {
    return std::nullopt;
  }
  ServerProcess server{static_cast<pid_t>(*pid), cluster.port, lines[4]};
  if (port && *port > 0 && *port <= std::numeric_limits<std::uint16_t>::max()) {
    server.port = static_cast<std::uint16_t>(*port);
  }
  return server;
}

void stop_server(const Cluster& cluster, Clock& clock) {
  std::string trouble;
  try {
    run_command(cluster, stop_command(cluster), clock);
  } catch (const Error& error) {
    trouble = error.text();
  }
  if (!find_server(cluster)) return;
  // By its own pid file, which needs neither a unit nor a configuration.
  constexpr Duration kLimit = std::chrono::minutes(2);
  Command command;
  command.argv = {cluster.bin + "/pg_ctl", "-D", cluster.data, "-w",  "-s", "-t",
                  pg_ctl_limit(kLimit),    "-m", "fast",       "stop"};
  command.limit = kLimit;
  try {
    run_command(cluster, command, clock);
  } catch (const Error& error) {
    trouble += (trouble.empty() ? "" : "; ") + error.text();
  }
  if (const auto left = find_server(cluster)) {
    throw Error(Fault::Action, "the server of " + quote(cluster.data) + " (process " +
                                   std::to_string(left->pid) + ") does not stop" +
                                   (trouble.empty() ? "" : ": " + trouble));
  }
}

void require_no_server(const Cluster& cluster) {
  if (const auto server = find_server(cluster)) {
    throw Error(Fault::Refused, "a server runs on " + quote(cluster.data) + " (process " +
                                    std::to_string(server->pid) +
                                    "): the directory is not moved while it does. Stop it first");
  }
}

ControlData parse_control(std::string_view text) {
  ControlData control;
  control.text = text;
  const auto value = [&](std::string_view name) -> std::string {
    const std::size_t begin =
        (std::string("\n") + control.text).find("\n" + std::string(name) + ":");
    if (begin == std::string::npos) {
      throw Error(Fault::Io, "pg_controldata does not say " + quote(name));
    }
    const std::size_t from = begin + name.size() + 1;
    return std::string(trim(text.substr(from, text.find('\n', from) - from)));
  };
  control.state = value("Database cluster state");
  control.system_id = value("Database system identifier");
  control.checkpoint = value("Latest checkpoint location");
  control.checksums = value("Data page checksum version") != "0";
  control.wal_log_hints = value("wal_log_hints setting") == "on";
  const auto timeline = parse_number(value("Latest checkpoint's TimeLineID"));
  if (!timeline || *timeline > std::numeric_limits<unsigned>::max()) {
    throw Error(Fault::Io, "pg_controldata gives a timeline that is none");
  }
  control.timeline = static_cast<unsigned>(*timeline);
  return control;
}

ControlData read_control(const Cluster& cluster, const std::string& data, Clock& clock) {
  Command command;
  command.argv = {cluster.bin + "/pg_controldata", "-D", data};
  return parse_control(run_command(cluster, command, clock));
}

DbTarget local_target(const Cluster& cluster, const std::string& database) {
  DbTarget target;
  const auto server = find_server(cluster);
  const bool socket = server && !server->sockets.empty();
  target.hosts = {
      {socket ? server->sockets : cluster.sockets, server ? server->port : cluster.port}};
  target.database = database;
  target.user = cluster.owner;
  return target;
}

}  // namespace xs
