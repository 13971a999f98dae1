// SPDX-License-Identifier: MIT
#include "companion/replication/auto_conf.h"

#include <algorithm>

#include "base/text.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/owned_file.h"

namespace xs {

std::string without_auto_settings(std::string_view text, const std::vector<std::string>& names) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, size);
    text.remove_prefix(size);
    const std::string_view name = trim(line.substr(0, line.find_first_of("= \t")));
    if (std::find(names.begin(), names.end(), name) == names.end()) out += line;
  }
  return out;
}

std::string with_auto_settings(std::string_view text,
                               const std::vector<std::pair<std::string, std::string>>& settings) {
  std::vector<std::string> names;
  std::string lines;
  for (const auto& [name, value] : settings) {
    names.push_back(name);
    lines += name + " = " + conf_quote(value) + "\n";
  }
  std::string out = without_auto_settings(text, names);
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out + lines;
}

void set_auto_conf(const Cluster& cluster,
                   const std::vector<std::pair<std::string, std::string>>& settings) {
  const std::string path = cluster.data + "/postgresql.auto.conf";
  const std::string text = read_owned(path, cluster).value_or("");
  write_owned(path, with_auto_settings(text, settings), 0600, cluster);
}

}  // namespace xs
