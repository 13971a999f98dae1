// SPDX-License-Identifier: MIT
#include "cli/server_config.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include "base/error.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/text.h"
#include "protocol/entries.h"
#include "sync/dir.h"

namespace xs::cli {
namespace {

// What must never leave a node, whatever a client asks for.
constexpr auto kXroadExcludes = std::to_array<std::string_view>(
    {"db.properties", "db_libpq.env", "*.restored", "/conf.d/node.ini", "/globalconf",
     "/postgresql", "/gpghome", "/xroad.properties", "/lost+found", "*.tmp", ".xroad-sync"});
constexpr std::string_view kXroadPath = "/etc/xroad";
constexpr const char* kRestoreMarker = "/var/lib/xroad/restore_in_progress";

[[noreturn]] void refuse(const IniValue& at, const std::string& why) {
  throw Error(Fault::Usage, at.where() + ": " + why);
}

std::uint64_t number(const IniValue& value, std::uint64_t least, std::uint64_t most) {
  const auto parsed = parse_number(value.value);
  if (!parsed || *parsed < least || *parsed > most) {
    refuse(value, escape(value.key) + " must be a number from " + std::to_string(least) + " to " +
                      std::to_string(most) + ", not " + quote(value.value));
  }
  return *parsed;
}

// 512M, 2G, plain bytes; 0 for no limit.
std::uint64_t memory_size(const IniValue& value) {
  constexpr std::uint64_t kLeast = std::uint64_t{64} << 20;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 46;
  std::string_view digits = value.value;
  unsigned shift = 0;
  if (!digits.empty()) {
    shift = digits.back() == 'G' ? 30 : digits.back() == 'M' ? 20 : 0;
    if (shift != 0) digits.remove_suffix(1);
  }
  const auto parsed = parse_number(digits);
  const bool fits = parsed && *parsed <= (kMost >> shift);
  if (fits && *parsed == 0) return 0;
  if (!fits || (*parsed << shift) < kLeast)
    refuse(value, "memory must be 0 or at least 64M (as in 512M or 2G), not " + quote(value.value));
  return *parsed << shift;
}

std::string absolute(const IniValue& value) {
  auto path = clean_path(value.value);
  if (!path) {
    refuse(value, escape(value.key) + " must be an absolute path below / and without \"..\", not " +
                      quote(value.value));
  }
  return *std::move(path);
}

LogTarget log_target(const IniValue& value) {
  const std::map<std::string_view, LogTarget> words{{"auto", LogTarget::Auto},
                                                    {"journal", LogTarget::Journal},
                                                    {"syslog", LogTarget::Syslog},
                                                    {"none", LogTarget::None}};
  const auto found = words.find(value.value);
  if (found == words.end())
    refuse(value, "log must be auto, journal, syslog or none, not " + quote(value.value));
  return found->second;
}

void read_server(ServerConfig& config, const IniValue& value) {
  const std::string& key = value.key;
  if (key == "idle-timeout") {
    config.idle = std::chrono::seconds(number(value, 1, 3600));
  } else if (key == "total-timeout") {
    config.total = std::chrono::seconds(number(value, 1, 86'400));
  } else if (key == "max-entries") {
    config.max_entries = number(value, 1, 100'000'000);
  } else if (key == "memory") {
    config.memory = memory_size(value);
  } else if (key == "rounds") {
    config.rounds = static_cast<int>(number(value, 0, 100));
  } else if (key == "log") {
    config.log = log_target(value);
  } else if (key == "log-socket") {
    config.log_socket = absolute(value);
  } else {
    refuse(value,
           "[server] has no key " + quote(key) +
               ": idle-timeout, total-timeout, max-entries, memory, rounds, log, log-socket");
  }
}

// A rule of the operator's: a plain pattern, so that every side can tell what it hides.
void add_exclude(FilterList& excludes, const IniValue& value) {
  const std::size_t before = excludes.rules().size();
  try {
    excludes.exclude(value.value);
  } catch (const Error& error) {
    refuse(value, error.text());
  }
  const auto& rules = excludes.rules();
  FilterRule plain;
  if (rules.size() == before + 1) {
    plain.pattern = rules.back().pattern;
    plain.dirs_only = rules.back().dirs_only;
  }
  if (rules.size() != before + 1 || rules.back() != plain)
    refuse(value, "exclude must be one plain pattern to hide, not " + quote(value.value));
}

void use_preset(ServerRoot& root, const IniValue& value) {
  if (value.value != "xroad" && value.value != "none")
    refuse(value, "preset must be xroad or none, not " + quote(value.value));
  root.xroad = value.value == "xroad";
}

void read_root(ServerRoot& root, const IniValue& value) {
  if (value.key == "path") {
    root.path = absolute(value);
  } else if (value.key == "preset") {
    use_preset(root, value);
  } else if (value.key == "exclude") {
    add_exclude(root.excludes, value);
  } else if (value.key == "node-ini") {
    root.node_ini = absolute(value);
  } else if (value.key == "restore-marker") {
    root.restore_marker = absolute(value);
  } else {
    refuse(value, "[" + escape(value.section) + "] has no key " + quote(value.key) +
                      ": path, preset, exclude, node-ini, restore-marker");
  }
}

// What the preset adds to what the file says.
void complete(ServerRoot& root) {
  if (!root.xroad) return;
  for (const std::string_view pattern : kXroadExcludes) root.excludes.exclude(pattern);
  if (root.node_ini.empty()) root.node_ini = root.path + "/conf.d/node.ini";
  if (root.restore_marker.empty()) root.restore_marker = kRestoreMarker;
}

bool within(const std::string& path, const std::string& other) {
  return path == other || (path.starts_with(other) && path[other.size()] == '/');
}

void check_roots(const ServerConfig& config, const std::string& file) {
  const std::string where = escape(file) + ": ";
  if (config.roots.empty())
    throw Error(Fault::Usage, where + "it serves nothing: add [root] with a path");
  for (const ServerRoot& root : config.roots) {
    if (root.path.empty())
      throw Error(Fault::Usage, where + "[" + escape(root.name) + "] has no path");
    for (const ServerRoot& other : config.roots) {
      if (&other == &root || !within(other.path, root.path)) continue;
      throw Error(Fault::Usage, where + quote(other.path) + " of [" + escape(other.name) +
                                    "] lies in " + quote(root.path) + " of [" + escape(root.name) +
                                    "]: a root must not lie in another");
    }
  }
}

ServerRoot& root_of(ServerConfig& config, const IniValue& value) {
  const std::string& name = value.section;
  const bool named = name.size() > 5 && name.starts_with("root ");
  if (name != "root" && !named)
    refuse(value, "there is no section [" + escape(name) + "]: [server], [root] or [root NAME]");
  const auto found = std::find_if(config.roots.begin(), config.roots.end(),
                                  [&](const ServerRoot& root) { return root.name == name; });
  if (found != config.roots.end()) return *found;
  config.roots.push_back({});
  config.roots.back().name = name;
  return config.roots.back();
}

// Whoever may write here decides what leaves this machine.
void check_owner(const FileStat& st, const std::string& path) {
  const bool ours = st.uid == 0 || st.uid == ::geteuid();
  if (ours && (st.mode & 022U) == 0) return;
  throw Error(Fault::Selection,
              "configuration " + quote(path) +
                  (ours ? " is writable for others: chmod go-w it"
                        : " belongs to user " + std::to_string(st.uid) + ": it must be root's"));
}

std::string read_owned(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  const std::string parent = slash == 0 ? "/" : file.substr(0, slash);
  const std::string name = file.substr(slash + 1);
  const Dir dir = Dir::open_root(parent);
  check_owner(dir.stat(Dir::kSelf), parent);
  if (const auto st = dir.stat_if_exists(name); st && st->type() == EntryType::Symlink) {
    throw Error(Fault::Selection,
                "configuration " + quote(file) + " is a symbolic link: name the file itself");
  }
  const Fd fd = dir.open_file(name, O_RDONLY);
  check_owner(stat_fd(fd, file), file);
  return read_all(fd.get(), Ini::kFileLimit, file);
}

}  // namespace

std::optional<std::string> clean_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.size() > limits::kPath) return std::nullopt;
  std::string clean;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    if (part.empty() || part == ".") continue;
    if (!valid_name(part)) return std::nullopt;
    clean += '/';
    clean += part;
  }
  if (clean.empty()) return std::nullopt;
  return clean;
}

ServerConfig default_server_config() {
  ServerConfig config;
  ServerRoot root;
  root.name = "root";
  root.path = kXroadPath;
  root.xroad = true;
  complete(root);
  config.roots.push_back(std::move(root));
  return config;
}

ServerConfig parse_server_config(std::string_view text, const std::string& file) {
  ServerConfig config;
  std::map<std::pair<std::string, std::string>, std::string> given;
  const Ini ini = Ini::parse(text, file);
  for (const IniValue& value : ini.values()) {
    if (value.key != "exclude") {
      const auto [first, is_new] = given.try_emplace({value.section, value.key}, value.where());
      if (!is_new) refuse(value, escape(value.key) + " is given twice: see " + first->second);
    }
    if (value.section == "server") {
      read_server(config, value);
    } else {
      read_root(root_of(config, value), value);
    }
  }
  check_roots(config, file);
  for (ServerRoot& root : config.roots) complete(root);
  return config;
}

ServerConfig load_server_config(const std::optional<std::string>& file) {
  const std::string path = file.value_or(kServerConfigFile);
  if (!clean_path(path) || path.back() == '/')
    throw Error(Fault::Usage, "--config must be the absolute path of a file, not " + quote(path));
  try {
    return parse_server_config(read_owned(path), path);
  } catch (const Error& error) {
    if (!file && error.code() == ENOENT) return default_server_config();
    throw;
  }
}

}  // namespace xs::cli
