// SPDX-License-Identifier: MIT
#include "cli/companion_manual.h"

#include "cli/manual.h"
#include "companion/node_settings.h"

namespace xs::cli {
namespace {

std::string keys() {
  std::string out;
  std::string section;
  for (const SettingRow& row : setting_table()) {
    if (section != row.section) out += ".SS [" + roff(section = row.section) + "]\n";
    out += ".TP\n\\fB" + roff(row.key) + "\\fR = \\fI" + roff(row.example) + "\\fR\n";
    out += sentences(row.help);
    const std::string takes = accepted_by(row);
    if (!takes.empty()) out += "Value: " + roff(takes) + ".\n";
    out += "Default: \\fB" + roff(row.fallback == nullptr ? row.example : row.fallback) + "\\fR.\n";
  }
  return out;
}

}  // namespace

std::string companion_page(std::string_view prose, const std::string& verbs) {
  return manual_page(prose, {{"COMPANION_KEYS", keys()}, {"COMPANION_VERBS", verbs}});
}

}  // namespace xs::cli
