// SPDX-License-Identifier: MIT
#include "companion/replication/cluster.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <filesystem>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/cluster_start.h"

namespace xs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kConfLimit = 1U << 20;

[[noreturn]] void unusable(const std::string& why) { throw Error(Fault::Usage, why); }

bool is_directory(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Of a directory, or of one that is missing in a directory that is there.
std::string resolved(const std::string& path) {
  if (!path.starts_with('/')) unusable(quote(path) + " is not an absolute path");
  std::string given = path;
  while (given.size() > 1 && given.back() == '/') given.pop_back();
  std::array<char, PATH_MAX> real{};
  if (::realpath(given.c_str(), real.data()) != nullptr) return real.data();
  const std::size_t slash = given.rfind('/');
  const std::string parent = slash == 0 ? "/" : given.substr(0, slash);
  if (::realpath(parent.c_str(), real.data()) == nullptr) {
    unusable("neither " + quote(path) + " nor the directory that it would lie in exists");
  }
  return std::string(real.data()) + (slash == 0 ? "" : "/") + given.substr(slash + 1);
}

std::string parent_path_of(const std::string& path) {
  return fs::path(path).parent_path().string();
}

std::string conf_of(const std::string& directory) {
  const auto text = read_file_if_exists(directory + "/postgresql.conf", kConfLimit);
  return text.value_or("");
}

// DEBIAN/VERSION/NAME of each version that has it.
std::vector<std::string> debian_configs(const ClusterRoots& roots, const std::string& name) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& version : fs::directory_iterator(roots.debian_config, error)) {
    const std::string directory = version.path().string() + "/" + name;
    if (exists(directory + "/postgresql.conf")) found.push_back(directory);
  }
  std::sort(found.begin(), found.end());
  return found;
}

// The directories of one cluster, as far as they have been named or found.
struct Places {
  std::string data, config;
  bool debian = false;
  bool rhel = false;
};

Places look_for(const ClusterChoice& choice, const ClusterRoots& roots) {
  const std::vector<std::string> found = debian_configs(roots, choice.name);
  if (found.size() > 1) {
    unusable("there are several clusters named " + quote(choice.name) + ": " +
             escape(found.front()) + ", " + escape(found.back()) + "; choose with --config");
  }
  if (found.size() == 1) return {"", found.front(), true, false};
  const std::string rhel = roots.rhel_data + "/" + choice.name;
  if (is_directory(rhel) || exists(broken_off(rhel, "/PG_VERSION"))) return {rhel, "", false, true};
  unusable("no PostgreSQL cluster named " + quote(choice.name) + " in " + roots.debian_config +
           " or " + roots.rhel_data + "; name it with --data, or make one");
}

// The configuration of data that somebody named: beside it, or where Debian keeps it.
std::string config_of(const std::string& data, const ClusterRoots& roots) {
  if (exists(data + "/postgresql.conf")) return data;
  std::error_code error;
  for (const auto& version : fs::directory_iterator(roots.debian_config, error)) {
    std::error_code inner;
    for (const auto& entry : fs::directory_iterator(version.path(), inner)) {
      const auto named = conf_value(conf_of(entry.path().string()), "data_directory");
      if (named && named->starts_with('/') && resolved(*named) == data) return entry.path();
    }
  }
  return data;
}

Places find_places(const ClusterChoice& choice, const ClusterRoots& roots) {
  Places places{choice.data, choice.config, false, false};
  if (places.data.empty() && places.config.empty()) places = look_for(choice, roots);
  if (!places.config.empty()) places.config = resolved(places.config);
  if (places.data.empty()) {
    const auto named = conf_value(conf_of(places.config), "data_directory");
    if (!named && !exists(places.config + "/PG_VERSION")) {
      unusable(quote(places.config + "/postgresql.conf") +
               " names no data_directory; give it with --data");
    }
    places.data = named.value_or(places.config);
  }
  const std::string named = places.data;
  places.data = resolved(places.data);
  if (places.config.empty()) places.config = config_of(places.data, roots);
  std::string root = roots.debian_config;
  if (exists(root)) root = resolved(root);
  places.debian = places.config.starts_with(root + "/");
  // A link in Red Hat's place is of that place too.
  root = roots.rhel_data;
  if (exists(root)) root = resolved(root);
  places.rhel = places.data.starts_with(root + "/") || named.starts_with(roots.rhel_data + "/");
  return places;
}

std::optional<int> number_in(std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value < 9 || *value > 99) return std::nullopt;
  return static_cast<int>(*value);
}

// "postgres (PostgreSQL) 15.8 (Debian ...)"
int program_version(const std::string& bin, Clock& clock) {
  ChildRequest request;
  request.argv = {bin + "/postgres", "--version"};
  request.environment = plain_environment();
  const ChildResult result = run_child(request, clock);
  const std::string& text = result.output;
  const std::size_t begin = text.find(") ");
  if (result.ok() && begin != std::string::npos) {
    const std::size_t end = text.find_first_not_of("0123456789", begin + 2);
    if (const auto major = number_in(text.substr(begin + 2, end - begin - 2))) return *major;
  }
  unusable(quote(bin + "/postgres") + " is no PostgreSQL that we know: " + excerpt(text, 100));
}

std::string find_programs(const ClusterChoice& choice, std::optional<int> version,
                          const ClusterRoots& roots) {
  if (!choice.bin.empty()) {
    if (exists(choice.bin + "/postgres")) return choice.bin;
    unusable("there is no postgres in " + quote(choice.bin) + " (--bin)");
  }
  std::vector<std::string> candidates;
  if (version) {
    candidates.push_back(roots.debian_programs + "/" + std::to_string(*version) + "/bin");
    candidates.push_back(roots.rhel_programs + std::to_string(*version) + "/bin");
  }
  candidates.push_back(roots.programs);
  for (const std::string& candidate : candidates) {
    if (exists(candidate + "/postgres")) return candidate;
  }
  unusable(version ? "the programs of PostgreSQL " + std::to_string(*version) +
                         " are not installed; name their directory with --bin"
                   : "PostgreSQL's programs are not found; name their directory with --bin");
}

void find_owner(Cluster& cluster) {
  struct stat st {};
  const std::string parent = fs::path(cluster.data).parent_path().string();
  if (::stat(cluster.data.c_str(), &st) != 0 && ::stat(parent.c_str(), &st) != 0) {
    throw_errno("stat", parent);
  }
  if (st.st_uid == 0) {
    if (exists(cluster.data)) unusable(quote(cluster.data) + " belongs to root: it is no cluster");
    cluster.owner = "postgres";
  } else {
    const passwd* entry = ::getpwuid(st.st_uid);
    if (entry == nullptr) {
      unusable(quote(cluster.data) + " belongs to the user number " + std::to_string(st.st_uid) +
               ", who has no name");
    }
    cluster.owner = entry->pw_name;
  }
  const auto user = find_user(cluster.owner);
  if (!user) unusable("there is no user " + quote(cluster.owner));
  cluster.user = *user;
  if (::geteuid() != 0 && ::geteuid() != cluster.user.uid) {
    unusable("the cluster in " + quote(cluster.data) + " belongs to " + quote(cluster.owner) +
             ": run this as root or as that user");
  }
}

}  // namespace

std::optional<int> data_version(const std::string& directory) {
  const auto text = read_file_if_exists(directory + "/PG_VERSION", 64);
  if (!text) return std::nullopt;
  const std::string_view first = trim(*text);
  return number_in(first.substr(0, first.find('.')));
}

std::optional<std::string> conf_value(std::string_view conf, std::string_view name) {
  std::optional<std::string> found;
  while (!conf.empty()) {
    const std::string_view line = trim(conf.substr(0, conf.find('\n')));
    conf.remove_prefix(
        std::min(conf.size(), conf.find('\n') + 1 == 0 ? conf.size() : conf.find('\n') + 1));
    const std::size_t end = line.find_first_of(" \t=");
    if (end == std::string_view::npos || line.substr(0, end) != name) continue;
    std::string_view value = trim(line.substr(end));
    if (value.starts_with('=')) value = trim(value.substr(1));
    if (!value.starts_with('\'')) {
      found = std::string(trim(value.substr(0, value.find_first_of("# \t"))));
      continue;
    }
    std::string text;
    for (std::size_t i = 1; i < value.size(); ++i) {
      if (value[i] == '\'' && (i + 1 == value.size() || value[i + 1] != '\'')) break;
      if ((value[i] == '\'' || value[i] == '\\') && i + 1 < value.size()) ++i;
      text += value[i];
    }
    found = text;
  }
  return found;
}

void ClusterChoice::fill_from(const ClusterChoice& weaker) {
  for (std::string ClusterChoice::*field :
       {&ClusterChoice::name, &ClusterChoice::data, &ClusterChoice::config, &ClusterChoice::bin,
        &ClusterChoice::service, &ClusterChoice::sockets}) {
    if ((this->*field).empty()) this->*field = weaker.*field;
  }
  if (port == 0) port = weaker.port;
}

Cluster find_cluster(const ClusterChoice& given, Clock& clock, const ClusterRoots& roots) {
  ClusterChoice choice = given;
  choice.fill_from({"serverconf", "", "", "", "", "", 0});
  const Places places = find_places(choice, roots);
  Cluster cluster;
  cluster.name = choice.name;
  cluster.data = places.data;
  cluster.config = places.config;
  find_owner(cluster);
  std::optional<int> version;
  {
    const AsOwner rights(cluster.user);
    version = data_version(parent_path_of(broken_off(cluster.data, "/PG_VERSION")));
    const bool empty =
        !exists(cluster.data) || (is_directory(cluster.data) && fs::is_empty(cluster.data));
    if (!version && !empty) {
      unusable(quote(cluster.data) +
               " is not a data directory of PostgreSQL: it is not empty and "
               "has no usable PG_VERSION");
    }
  }
  // Debian's layout names the version also where the data is missing.
  const auto named = places.debian
                         ? number_in(fs::path(cluster.config).parent_path().filename().string())
                         : std::nullopt;
  cluster.bin = find_programs(choice, version ? version : named, roots);
  cluster.major = program_version(cluster.bin, clock);
  if (version && *version != cluster.major) {
    unusable("the data in " + quote(cluster.data) + " is of PostgreSQL " +
             std::to_string(*version) + " and the programs in " + quote(cluster.bin) + " are " +
             std::to_string(cluster.major) + "; give --bin");
  }
  find_start(cluster, choice, {places.debian, places.rhel}, roots);
  return cluster;
}

}  // namespace xs
