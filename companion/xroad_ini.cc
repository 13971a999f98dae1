// SPDX-License-Identifier: MIT
#include "companion/xroad_ini.h"

#include <dirent.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace xs {
namespace {

// Files of an X-Road directory that begin and end so, in the order of their names. A directory that
// is not there has none; one that cannot be read may hold settings, so it is an error.
std::vector<std::string> matching(const std::string& directory, std::string_view begin) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(directory.c_str()), &::closedir);
  if (open == nullptr && errno != ENOENT) throw_errno("read", directory);
  std::vector<std::string> files;
  while (const dirent* entry = open == nullptr ? nullptr : ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(begin) || !name.ends_with(".ini") || name.starts_with('.')) continue;
    files.push_back(directory + "/" + std::string(name));
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Behind a value X-Road's reader takes a comment when a blank stands before it, and it takes quotes
// off.
std::string_view bare_value(std::string_view value) {
  if (value.starts_with('"')) {
    const std::size_t end = value.find('"', 1);
    if (end != value.npos) return value.substr(1, end - 1);
  }
  for (std::size_t i = 1; i < value.size(); ++i) {
    const bool comment = value[i] == ';' || value[i] == '#';
    if (comment && (value[i - 1] == ' ' || value[i - 1] == '\t')) return trim(value.substr(0, i));
  }
  return value;
}

// A line of X-Road's own in our form; empty where X-Road's reader makes nothing of it that we could
// use. It takes a colon for a divider, too.
std::string our_form(std::string_view line) {
  line = trim(line);
  const std::size_t divider = line.find_first_of("=:");
  std::string ours(line);
  if (!line.empty() && line.front() != '[' && divider != line.npos) {
    ours = std::string(line.substr(0, divider)) + "=" +
           std::string(bare_value(trim(line.substr(divider + 1))));
  }
  try {
    Ini::parse(ours, "");
    return ours;
  } catch (const Error&) {
    return "";
  }
}

// What X-Road reads without complaint must not keep a health check from starting, wherever in these
// files it stands. A value of ours that is wrong is told all the same, with its line.
Ini load_xroad_file(const std::string& file) {
  const auto text = read_file_if_exists(file, Ini::kFileLimit);
  if (!text) return {};
  std::string ours;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    ours += our_form(rest.substr(0, end)) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return Ini::parse(ours, file);
}

}  // namespace

Ini load_xroad_ini(const std::string& directory) {
  std::vector<std::string> files;
  const auto add = [&](const std::vector<std::string>& more) {
    files.insert(files.end(), more.begin(), more.end());
  };
  const std::string conf = directory + "/conf.d";
  add({conf + "/common.ini", conf + "/proxy.ini", conf + "/signer.ini"});
  add(matching(conf + "/addons", ""));
  add(matching(conf, "override-"));
  add({conf + "/local.ini", conf + "/node.ini"});
  Ini all;
  for (const std::string& file : files) all.merge(load_xroad_file(file));
  return all;
}

}  // namespace xs
