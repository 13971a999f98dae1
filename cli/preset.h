// SPDX-License-Identifier: MIT
// Preset: what is known of a kind of tree and not of one installation. Chosen by the setting
// `preset`; read by config (the excludes) and by the verbs (order, guards, wake). Data only.
#pragma once

#include <string_view>
#include <vector>

namespace xs::cli {

struct Preset {
  std::string_view name;
  std::string_view path;                         // of the tree, at the primary and here
  std::vector<std::string_view> excludes;        // in rsync's language, weaker than the operator's
  std::vector<std::string_view> index_files;     // installed last, because they name others
  std::vector<std::string_view> required_files;  // their loss at the source refuses the run
  std::string_view node_ini;                     // below the root: says which role a node has
  std::string_view wake;                         // the wake action unless configured
};

// X-Road's cluster: the guide's excludes and what must never leave a node.
inline const Preset kXroadPreset{
    "xroad",
    "/etc/xroad",
    {"db.properties", "db_libpq.env", "*.restored", "/conf.d/node.ini", "*.tmp", "/postgresql",
     "/globalconf", "/gpghome", "/xroad.properties", "/lost+found"},
    {"signer/keyconf.xml"},
    {"signer/keyconf.xml"},
    "conf.d/node.ini",
    "signer"};

// A tree of which nothing is known.
inline const Preset kNoPreset{"none", "", {}, {}, {}, "", "none"};

inline const Preset& find_preset(std::string_view name) {
  return name == kXroadPreset.name ? kXroadPreset : kNoPreset;
}

}  // namespace xs::cli
