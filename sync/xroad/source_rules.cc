// SPDX-License-Identifier: MIT
#include "sync/xroad/source_rules.h"

#include <sys/stat.h>

#include "base/text.h"
#include "sync/xroad/node.h"

namespace xs {
namespace {

void check_restore(const std::string& marker) {
  struct stat st {};
  if (::lstat(marker.c_str(), &st) == 0) {
    throw Error(Fault::Vanished,
                "a restore is in progress at the source (" + quote(marker) +
                    "): nothing was changed; if none is running there, a broken one has left this "
                    "file: finish that restore, or remove the file");
  }
  if (errno == ENOENT || errno == ENOTDIR) return;
  throw Error(Fault::Io,
              "whether a restore is in progress at the source cannot be told: stat " +
                  quote(marker) + ": " + errno_text(errno),
              errno);
}

}  // namespace

SourceRules xroad_source_rules(const std::string& root) {
  return {root + "/conf.d/node.ini", "/var/lib/xroad/restore_in_progress", "signer"};
}

SignerState look_at_signer(const Dir& root, const std::string& signer) {
  SignerState state;
  const auto dir = root.open_dir_if_exists(signer);
  if (!dir) return state;
  // First: it is what comes back last.
  const auto tokens = dir->stat_if_exists("softtoken");
  state.softtoken = tokens.has_value();
  if (state.softtoken) return state;
  state.backup = dir->stat_if_exists(".softtoken.bak").has_value();
  if (auto keyconf = read_keyconf(*dir)) state.keyconf = std::move(*keyconf);
  return state;
}

void check_signer(const SignerState& state) {
  if (state.softtoken) return;
  if (state.backup) {
    throw Error(Fault::Vanished,
                "the PIN of the software token is being changed at the source (signer/softtoken is "
                "away, .softtoken.bak is there): nothing was changed; the next run will do");
  }
  if (!state.keyconf.ok()) {
    throw Error(
        Fault::Vanished,
        "signer/softtoken is missing at the source, and its keyconf.xml cannot tell whether "
        "it should be there (" +
            state.keyconf.trouble +
            "); nothing was changed; if this stays, look at the primary's signer");
  }
  if (state.keyconf.soft_keys.empty()) return;
  throw Error(Fault::Vanished,
              "signer/softtoken is missing at the source while keyconf.xml names " +
                  std::to_string(state.keyconf.soft_keys.size()) +
                  " keys in it: the PIN is being changed, or the keys are lost; nothing was "
                  "changed; if this stays, look at the primary's signer");
}

void check_source(const SourceRules& rules, const Dir& root) {
  if (!rules.node_ini.empty()) require_primary(read_node(rules.node_ini));
  if (!rules.restore_marker.empty()) check_restore(rules.restore_marker);
  if (rules.signer.empty()) return;
  SignerState state;
  try {
    state = look_at_signer(root, rules.signer);
  } catch (const Error& error) {
    throw Error(Fault::Partial,
                "the signer's directory cannot be read at the source: " + error.text(),
                error.code());
  }
  check_signer(state);
}

}  // namespace xs
