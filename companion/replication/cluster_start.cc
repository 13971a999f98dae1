// SPDX-License-Identifier: MIT
#include "companion/replication/cluster_start.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/owned_file.h"

namespace xs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kUnitLimit = 64U << 10;
constexpr std::size_t kConfLimit = 1U << 20;
constexpr const char* kSuffix = ".service";

// A unit with its drop-ins; an administrator's directory comes before a package's.
struct Unit {
  std::string name;  // without ".service"
  std::string text;
};

std::string text_or_nothing(const fs::path& file) {
  try {
    return read_file_if_exists(file.string(), kUnitLimit).value_or("");
  } catch (const Error&) {
    return "";  // masked, a link to nowhere: it starts nothing
  }
}

std::string drop_ins(const ClusterRoots& roots, const std::string& name) {
  std::vector<fs::path> files;
  for (const std::string& directory : roots.units) {
    std::error_code error;
    const fs::path below = fs::path(directory) / (name + ".service.d");
    for (const auto& entry : fs::directory_iterator(below, error)) {
      if (entry.path().extension() == ".conf") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.filename() < b.filename(); });
  std::string text;
  for (const fs::path& file : files) text += "\n" + text_or_nothing(file);
  return text;
}

std::vector<Unit> postgresql_units(const ClusterRoots& roots) {
  std::vector<Unit> units;
  for (const std::string& directory : roots.units) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      const std::string file = entry.path().filename().string();
      if (!file.starts_with("postgresql") || entry.path().extension() != kSuffix) continue;
      const std::string name = entry.path().stem().string();
      const bool known = std::any_of(units.begin(), units.end(),
                                     [&](const Unit& unit) { return unit.name == name; });
      if (!known) units.push_back({name, text_or_nothing(entry.path()) + drop_ins(roots, name)});
    }
  }
  std::sort(units.begin(), units.end(),
            [](const Unit& a, const Unit& b) { return a.name < b.name; });
  return units;
}

// The unit of this data directory: the one that says so, or, in Red Hat's place, that has its name.
std::optional<Unit> unit_of(const Cluster& cluster, const ClusterLayout& layout,
                            const ClusterRoots& roots) {
  const fs::path data(cluster.data);
  std::string named = "postgresql-" + data.filename().string();
  if (data.filename() == "data") {
    const std::string above = data.parent_path().filename().string();
    named = parse_number(above) ? "postgresql-" + above : "postgresql";
  }
  std::optional<Unit> found;
  for (const Unit& unit : postgresql_units(roots)) {
    std::string theirs = unit_environment(unit.text, "PGDATA");
    while (theirs.size() > 1 && theirs.back() == '/') theirs.pop_back();
    std::error_code error;
    if (theirs == cluster.data || fs::weakly_canonical(theirs, error) == data) return unit;
    if (theirs.empty() && layout.rhel && unit.name == named) found = unit;
  }
  return found;
}

void find_starter(Cluster& cluster, const ClusterChoice& choice, const ClusterLayout& layout,
                  const ClusterRoots& roots, const std::optional<Unit>& unit) {
  struct stat st {};
  const bool systemd =
      ::stat(roots.systemd.c_str(), &st) == 0 && S_ISDIR(st.st_mode) && ::geteuid() == 0;
  if (!choice.service.empty()) {
    cluster.starter = Starter::Systemd;
    cluster.service = choice.service;
  } else if (layout.debian) {
    cluster.name = fs::path(cluster.config).filename().string();
    if (roots.debian_config != ClusterRoots().debian_config) cluster.debian = roots.debian_config;
    cluster.starter = systemd ? Starter::Systemd : Starter::PgCtlCluster;
    cluster.service = "postgresql@" + std::to_string(cluster.major) + "-" + cluster.name;
  } else if (systemd && unit) {
    cluster.starter = Starter::Systemd;
    cluster.service = unit->name;
  }
}

// A running server's own; else by its files, which are stronger than the unit's environment.
std::uint16_t port_of(const Cluster& cluster, const ClusterLayout& layout, const std::string& conf,
                      const std::optional<Unit>& unit) {
  if (const auto server = find_server(cluster)) return server->port;
  std::string text = conf_value(conf, "port").value_or("");
  if (text.empty() && unit) text = unit_environment(unit->text, "PGPORT");
  if (text.empty()) {
    const bool guide = layout.rhel && fs::path(cluster.data).filename() == "serverconf";
    text = guide ? "5433" : "5432";
  }
  const auto number = parse_number(text);
  if (!number || *number == 0 || *number > std::numeric_limits<std::uint16_t>::max()) {
    throw Error(Fault::Usage,
                "the port in " + quote(cluster.conf_file()) + " is none; give it with --port");
  }
  return static_cast<std::uint16_t>(*number);
}

}  // namespace

std::string broken_off(const std::string& data, const std::string& name) {
  if (path_exists(data)) return data + name;
  for (const char* place : {".xroad-rejoin/own", ".xroad-rejoin/data", ".xroad-companion/new"}) {
    std::string path = data;
    path.append(place).append(name);
    if (path_exists(path)) return path;
  }
  return data + name;
}

std::string unit_environment(const std::string& text, const std::string& name) {
  std::string found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::string_view all = trim(line);
    constexpr std::string_view kKey = "Environment=";
    if (!all.starts_with(kKey)) continue;
    std::string words(all.substr(kKey.size()));
    if (trim(words).empty()) found.clear();  // an empty one forgets those before it
    // "A=b", 'A=b c' or A=b.
    for (std::size_t at = words.find_first_not_of(" \t"); at < words.size();
         at = words.find_first_not_of(" \t", at)) {
      const bool quoted = words[at] == '"' || words[at] == '\'';
      const std::size_t begin = quoted ? at + 1 : at;
      std::size_t end = quoted ? words.find(words[at], begin) : words.find_first_of(" \t", begin);
      end = std::min(end, words.size());
      const std::string word = words.substr(begin, end - begin);
      if (word.starts_with(name + "=")) found = word.substr(name.size() + 1);
      at = std::min(quoted ? end + 1 : end, words.size());
    }
  }
  return found;
}

void find_start(Cluster& cluster, const ClusterChoice& choice, const ClusterLayout& layout,
                const ClusterRoots& roots) {
  const auto unit = layout.debian ? std::nullopt : unit_of(cluster, layout, roots);
  find_starter(cluster, choice, layout, roots, unit);
  std::string conf;
  {
    const AsOwner rights(cluster.user);
    const std::string own = cluster.config_in_data() ? broken_off(cluster.data, "/postgresql.conf")
                                                     : cluster.conf_file();
    // ALTER SYSTEM wins.
    for (const std::string& file : {own, broken_off(cluster.data, "/postgresql.auto.conf")}) {
      conf += read_file_if_exists(file, kConfLimit).value_or("") + "\n";
    }
  }
  cluster.port = choice.port != 0 ? choice.port : port_of(cluster, layout, conf, unit);
  cluster.sockets = choice.sockets;
  if (cluster.sockets.empty()) {
    const std::string all = conf_value(conf, "unix_socket_directories").value_or("");
    cluster.sockets = std::string(trim(all.substr(0, all.find(','))));
  }
  if (!cluster.sockets.starts_with('/')) cluster.sockets = "/var/run/postgresql";
}

}  // namespace xs
