// SPDX-License-Identifier: MIT
#include "cli/layers.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/nearest.h"

namespace xs::cli {
namespace {

constexpr std::size_t kFilesLimit = 1000;  // in conf.d
constexpr std::string_view kPrefix = "XROAD_SYNC_";

// Variables with our prefix that are no settings: what names the file, and what hooks are told.
constexpr auto kOtherVariables = std::to_array<std::string_view>(
    {"XROAD_SYNC_CONFIG", "XROAD_SYNC_RUN_ID", "XROAD_SYNC_GENERATION", "XROAD_SYNC_CHANGED_FILE",
     "XROAD_SYNC_CHANGES", "XROAD_SYNC_PRIMARY", "XROAD_SYNC_DESTINATION", "XROAD_SYNC_EVENT"});

[[noreturn]] void refuse(const std::string& origin, const std::string& what) {
  throw Error(Fault::Usage, origin + ": " + what);
}

Given given(const Setting& setting, std::string_view text, const std::string& origin) {
  try {
    return {&setting, parse_value(setting.kind, setting.range, text), origin};
  } catch (const Error& error) {
    throw Error(error.fault(), origin + ": " + error.text());
  }
}

// Whoever can write the file decides what is copied over our keys, and what runs as us.
void check_owner(int fd, const std::string& file) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw_errno("fstat", file);
  const std::string name = escape(file);
  if (!S_ISREG(status.st_mode)) refuse(name, "is not a regular file");
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    refuse(name, "belongs to user " + std::to_string(status.st_uid) +
                     ", who is neither root nor the one who runs this: chown root " + name);
  if ((status.st_mode & S_IWOTH) != 0)
    refuse(name, "may be written by everybody: chmod o-w " + name);
}

[[noreturn]] void unknown_key(const IniValue& value) {
  std::vector<std::string_view> sections;
  std::vector<std::string_view> keys;
  std::string_view other;  // a section that has this key
  for (const Setting& setting : all_settings()) {
    if (!setting.in_ini()) continue;
    if (std::find(sections.begin(), sections.end(), setting.section) == sections.end())
      sections.push_back(setting.section);
    if (setting.section == value.section) keys.push_back(setting.key);
    if (setting.key == value.key) other = setting.section;
  }
  if (value.section.empty())
    refuse(value.where(), "the key " + quote(value.key) + " stands in no [section]");
  if (keys.empty())
    refuse(value.where(),
           "unknown section " + quote(value.section) + suggestion(value.section, sections));
  const std::string hint = other.empty() ? suggestion(value.key, keys)
                                         : " (it is a key of [" + std::string(other) + "])";
  refuse(value.where(), "unknown key " + quote(value.key) + " in [" + value.section + "]" + hint);
}

}  // namespace

Layer built_in_layer(bool source_on_command_line) {
  Layer layer;
  for (const Setting& setting : all_settings()) {
    const std::string_view text = setting.default_text(source_on_command_line);
    if (!text.empty()) layer.push_back(given(setting, text, "built-in"));
  }
  return layer;
}

Layer ini_layer(const std::string& file, bool required) {
  auto fd = required ? std::optional(open_file(file, O_RDONLY | O_NONBLOCK))
                     : open_if_exists(file, O_RDONLY | O_NONBLOCK);
  if (!fd) return {};
  check_owner(fd->get(), file);
  Layer layer;
  std::map<const Setting*, std::string> seen;
  const Ini ini = Ini::parse(read_all(fd->get(), Ini::kFileLimit, file), file);
  for (const IniValue& value : ini.values()) {
    const Setting* setting = find_key(value.section, value.key);
    if (setting == nullptr) unknown_key(value);
    const auto [first, fresh] = seen.emplace(setting, value.where());
    if (!fresh && setting->repeat == Repeat::Last)
      refuse(value.where(), quote(value.key) + " is already set at " + first->second);
    layer.push_back(given(*setting, value.value, value.where()));
  }
  return layer;
}

std::vector<std::string> ini_files(const std::string& directory) {
  struct Close {
    void operator()(DIR* dir) const { ::closedir(dir); }
  };
  const std::unique_ptr<DIR, Close> dir(::opendir(directory.c_str()));
  if (!dir) {
    if (errno == ENOENT) return {};
    throw_errno("opendir", directory);
  }
  std::vector<std::string> files;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(".ini") && name.front() != '.')
      files.push_back(directory + "/" + std::string(name));
    if (files.size() > kFilesLimit) refuse(escape(directory), "holds too many files");
    errno = 0;
  }
  if (errno != 0) throw_errno("readdir", directory);
  std::sort(files.begin(), files.end());
  return files;
}

Layer environment_layer(const std::vector<std::pair<std::string, std::string>>& environment) {
  std::map<std::string, const Setting*, std::less<>> known;
  std::vector<std::string_view> names;
  // The guide's short names are weaker than ours: ours were written for us.
  Layer layer;
  for (const Setting& setting : all_settings()) {
    if (setting.in_ini()) known[setting.variable()] = &setting;
    if (setting.environment.empty()) continue;
    for (const auto& [name, text] : environment)
      if (name == setting.environment && !text.empty())
        layer.push_back(given(setting, text, "environment " + name));
  }
  names.reserve(known.size());
  for (const auto& [name, setting] : known) names.push_back(name);
  for (const auto& [name, text] : environment) {
    if (!name.starts_with(kPrefix)) continue;
    const auto found = known.find(name);
    if (found != known.end()) {
      layer.push_back(given(*found->second, text, "environment " + name));
    } else if (std::find(kOtherVariables.begin(), kOtherVariables.end(), name) ==
               kOtherVariables.end()) {
      refuse("environment " + escape(name), "no such setting" + suggestion(name, names));
    }
  }
  return layer;
}

Layer option_layer(const Words& words) {
  Layer layer;
  std::map<const Setting*, std::int64_t> counts;
  for (const Word& word : words.options) {
    const Setting& setting = *word.setting;
    const std::string origin = "command line " + word.written;
    if (setting.kind == Kind::Count) {
      std::int64_t& count = counts[&setting];
      count = word.negated ? 0 : count + 1;
      layer.push_back({&setting, Value{std::to_string(count), false, count}, origin});
    } else if (setting.kind == Kind::Flag) {
      layer.push_back({&setting, Value{word.negated ? "no" : "yes", !word.negated, 0}, origin});
    } else if (word.negated) {  // --no-bwlimit: back to what is built in
      const std::string_view text = setting.default_text(!words.names.empty());
      layer.push_back({&setting,
                       text.empty() ? Value{} : parse_value(setting.kind, setting.range, text),
                       origin});
    } else {
      layer.push_back(given(setting, word.value, origin));
    }
  }
  return layer;
}

}  // namespace xs::cli
