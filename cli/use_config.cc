// SPDX-License-Identifier: MIT
#include "cli/use_config.h"

#include "cli/load_config.h"
#include "protocol/remote_shell.h"

namespace xs::cli {
namespace {

// One word for parse_remote_shell().
std::string grouped(const std::string& word) {
  std::string out = " '";
  for (const char c : word) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

bool is_ssh(const std::string& command) {
  const std::string program = parse_remote_shell(command).argv.front();
  return program.substr(program.rfind('/') + 1) == "ssh";
}

}  // namespace

Endpoint endpoint(const Config& config) {
  require_primary(config);
  const PrimaryConfig& primary = config.primary;
  const bool address = primary.host.find(':') != std::string::npos && primary.host.front() != '[';
  const std::string host = address ? "[" + primary.host + "]" : primary.host;
  return parse_endpoint(primary.user.empty() ? host : primary.user + "@" + host);
}

TransportOptions transport_options(const Config& config) {
  const PrimaryConfig& primary = config.primary;
  TransportOptions options;
  options.remote_program = primary.program;
  options.use_ssh_config = primary.ssh_config;
  options.deadlines = config.deadlines;
  std::string& shell = options.remote_shell;
  shell = primary.remote_shell;
  if (!is_ssh(shell)) return options;
  if (primary.ipv4_only) shell += " -4";
  if (primary.ipv6_only) shell += " -6";
  if (primary.port != 0) shell += " -p " + std::to_string(primary.port);
  for (const std::string& file : primary.identity) shell += " -i" + grouped(file);
  std::string known;
  for (const std::string& file : primary.known_hosts) known += (known.empty() ? "" : " ") + file;
  if (!known.empty()) shell += " -o" + grouped("UserKnownHostsFile=" + known);
  return options;
}

PullRequest pull_request(const Config& config) {
  PullRequest request;
  request.destination = config.destination;
  request.make_destination = config.mkpath ? MakeDestination::Path : MakeDestination::Last;
  request.root = config.primary.path;
  request.version = "xroad-sync " XS_VERSION;
  request.options = config.options;
  request.choose_compare = config.choose_compare;
  request.filters = config.preset->fenced(config.filters);
  request.remove = config.remove;
  request.allow_empty = config.guard.allow_empty;
  request.compress = config.compress;
  request.transfer = config.transfer;
  request.preview = config.dry_run;
  request.keep = config.keep;
  request.max_entries = config.max_entries;
  request.index_files = config.preset->index_files;
  return request;
}

}  // namespace xs::cli
