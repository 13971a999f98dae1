// SPDX-License-Identifier: MIT
#include "sync/xroad/preset.h"

#include <algorithm>

namespace xs {
namespace {

constexpr const char* kKeyconf = "signer/keyconf.xml";
// Most of X-Road's files are smaller, and travel inside their entries.
constexpr std::uint32_t kInlineLimit = 16'384;

Preset xroad() {
  Preset preset;
  preset.name = "xroad";
  preset.path = "/etc/xroad";
  preset.node_ini = "conf.d/node.ini";
  // Database passwords; what says who this node is; what others keep fresh; another user's secrets.
  preset.never = {"db.properties", "db_libpq.env", "*.restored", "/conf.d/node.ini",
                  "/globalconf",   "/postgresql",  "/gpghome",   "/xroad.properties",
                  "/lost+found",   "*.tmp",        ".xroad-sync"};
  // All that the guide's command line excludes is among them.
  preset.excludes = preset.never;
  preset.index_files = {kKeyconf};
  preset.guard.precious = {kKeyconf};
  preset.guard.required = {"signer"};
  preset.wake.kind = WakeAction::Kind::Signer;
  preset.wake.index = kKeyconf;
  preset.roles = true;
  preset.usual.keep = {Keep::Permissions, Keep::Times,    Keep::Owner,  Keep::Group,
                       Keep::Symlinks,    Keep::Specials, Keep::Devices};
  preset.usual.scan = {Scan::Recursive};
  preset.usual.inline_limit = kInlineLimit;
  return preset;
}

Preset none() {
  Preset preset;
  preset.name = "none";
  preset.guard.deletions = false;
  preset.guard.loss = false;
  return preset;
}

}  // namespace

FilterList Preset::fence() const {
  FilterList list;
  for (const std::string& pattern : never) list.filter("- " + pattern);
  return list;
}

FilterList Preset::fenced(const FilterList& rules) const {
  const FilterList first = fence();
  const std::vector<std::string> never_rules = first.to_wire();
  FilterList all = first;
  for (const std::string& rule : rules.to_wire()) {
    if (std::find(never_rules.begin(), never_rules.end(), rule) == never_rules.end()) {
      all.filter(rule);
    }
  }
  return all.with_mandatory(first);
}

const Preset& xroad_preset() { return presets().at(0); }
const Preset& no_preset() { return presets().at(1); }

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all{xroad(), none()};
  return all;
}

const Preset* find_preset(std::string_view name) {
  const auto& all = presets();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [name](const Preset& preset) { return preset.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace xs
