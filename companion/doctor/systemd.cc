// SPDX-License-Identifier: MIT
#include "companion/doctor/systemd.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string_view>

#include "base/child.h"
#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kUnitLimit = 256U << 10;
// The strongest first.
constexpr const char* kUnitDirs[] = {"/etc/systemd/system", "/run/systemd/system",
                                     "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                     "/lib/systemd/system"};

bool is_there(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

// The last one counts: a text behind another one takes its place.
void read_exec_start(std::string whole, std::string& program) {
  constexpr std::string_view kKey = "ExecStart";
  for (std::size_t at = 0; (at = whole.find("\\\n", at)) != whole.npos;) {
    whole.replace(at, 2, " ");
  }
  std::string_view text = whole;
  while (!text.empty()) {
    const std::string_view line = trim(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    const std::size_t equals = line.find('=');
    if (equals == line.npos || trim(line.substr(0, equals)) != kKey) continue;
    std::string_view command = trim(line.substr(equals + 1));
    command.remove_prefix(std::min(command.find_first_not_of("@-:+!"), command.size()));
    program = command.substr(0, command.find_first_of(" \t"));
  }
}

// Drop-ins of all directories in the order of their names; of equal names the strongest counts.
std::map<std::string, std::string> drop_ins(const DoctorPlaces& places, const std::string& name) {
  std::map<std::string, std::string> files;
  for (const char* dir : kUnitDirs) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(places.at(dir) + "/" + name + ".d", none)) {
      if (entry.path().extension() == ".conf") {
        files.emplace(entry.path().filename().string(), entry.path().string());
      }
    }
  }
  return files;
}

}  // namespace

UnitFacts find_unit(const DoctorPlaces& places, const std::string& name) {
  UnitFacts facts;
  for (const char* dir : kUnitDirs) {
    const std::string path = places.at(dir) + "/" + name;
    if (!is_there(path)) continue;
    facts.path = path;
    break;
  }
  if (facts.path.empty()) return facts;
  std::error_code none;
  facts.masked = fs::read_symlink(facts.path, none) == "/dev/null";
  if (facts.masked) return facts;
  read_exec_start(read_file(facts.path, kUnitLimit), facts.program);
  for (const auto& [file, path] : drop_ins(places, name)) {
    read_exec_start(read_file(path, kUnitLimit), facts.program);
  }
  return facts;
}

bool is_enabled(const DoctorPlaces& places, const std::string& name, const std::string& target) {
  const auto wanted = [&](const char* dir) {
    const std::string base = places.at(dir) + "/" + target;
    return is_there(base + ".wants/" + name) || is_there(base + ".requires/" + name);
  };
  return std::any_of(std::begin(kUnitDirs), std::end(kUnitDirs), wanted);
}

std::optional<std::string> active_word(const DoctorPlaces& places, const std::string& name,
                                       Clock& clock) {
  constexpr const char* kSystemctl = "/usr/bin/systemctl";
  if (!places.root.empty() || ::access("/run/systemd/system", F_OK) != 0) return std::nullopt;
  ChildRequest request;
  request.argv = {kSystemctl, "is-active", name};
  request.environment = plain_environment();
  request.limit = std::chrono::seconds(5);
  const ChildResult result = run_child(request, clock);
  if (result.timed_out) throw Error(Fault::Action, "systemctl is-active " + result.words());
  return std::string(trim(result.output));
}

}  // namespace xs
