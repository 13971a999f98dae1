// SPDX-License-Identifier: MIT
#include "sync/xroad/preset.h"

#include <algorithm>

namespace xs {
namespace {

constexpr const char* kKeyconf = "signer/keyconf.xml";

Preset xroad() {
  Preset preset;
  preset.name = "xroad";
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
  return preset;
}

Preset none() {
  Preset preset;
  preset.name = "none";
  preset.guard.deletions = false;
  return preset;
}

}  // namespace

FilterList Preset::fence() const {
  FilterList list;
  for (const std::string& pattern : never) list.filter("- " + pattern);
  return list;
}

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
