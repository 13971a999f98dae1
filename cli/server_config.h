// SPDX-License-Identifier: MIT
// ServerConfig: what xroad-sync-server serves, and within which limits. Read by its main, before
// anything of a client is, from a file that only root can have written. Every error is of class
// Usage (the contents, with file:line) or Io and Selection (the file), and reaches the client.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/filter.h"

namespace xs::cli {

inline constexpr const char* kServerConfigFile = "/etc/xroad-sync/server.ini";

struct ServerRoot {
  std::string name;  // of its section, for messages
  std::string path;  // absolute and clean(): no empty, "." or ".." component, no slash at its end
  FilterList excludes;         // that no client can lift
  bool xroad = false;          // X-Road's rules about when it may be copied
  std::string node_ini;        // which tells the node's role; empty: not asked
  std::string restore_marker;  // which is there while a restore is at work; empty: not asked
};

enum class LogTarget : std::uint8_t { Auto, Journal, Syslog, None };

struct ServerConfig {
  std::chrono::seconds idle{10};
  std::chrono::seconds total{3600};
  std::uint64_t max_entries = 10'000'000;
  std::uint64_t memory = std::uint64_t{2} << 30;  // of address space; 0: no limit
  int rounds = 5;
  LogTarget log = LogTarget::Auto;
  std::string log_socket;  // instead of the usual one
  std::vector<ServerRoot> roots;
};

// Without a file: /etc/xroad with the preset xroad, because that is the one job.
ServerConfig default_server_config();
ServerConfig parse_server_config(std::string_view text, const std::string& file);
// `file`: from --config; then it must be there. Nothing: kServerConfigFile, or the default where
// there is none. The file and its directory must belong to root, or to us where we are not root,
// and be writable for nobody else.
ServerConfig load_server_config(const std::optional<std::string>& file);

// An absolute path without empty and "." components; nothing for one that is not absolute, has a
// ".." or is the root of the file system.
std::optional<std::string> clean_path(std::string_view path);

}  // namespace xs::cli
