// SPDX-License-Identifier: MIT
#include "cli/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

namespace xs::cli {
namespace {

std::vector<Setting> joined() {
  std::vector<Setting> all;
  for (auto part : {connection_settings(), content_settings(), selection_settings(), run_settings(),
                    output_settings(), verb_settings()}) {
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  std::string_view group;
  for (Setting& setting : all) {
    if (setting.group.empty()) setting.group = group;
    group = setting.group;
  }
  return all;
}

}  // namespace

std::vector<std::string_view> Setting::names() const { return split_words(options, ','); }

std::string_view Setting::name() const {
  for (const std::string_view name : names())
    if (name.starts_with("--")) return name;
  return options.empty() ? key : options;
}

std::string Setting::variable() const {
  if (!in_ini()) return {};
  std::string out = "XROAD_SYNC_" + std::string(section) + "_" + std::string(key);
  for (char& c : out)
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::string_view Setting::default_text(bool source_on_command_line) const {
  return source_on_command_line && bare != kSameDefault ? bare : fallback;
}

const std::vector<Setting>& all_settings() {
  static const std::vector<Setting> settings = joined();
  return settings;
}

const Setting* find_key(std::string_view section, std::string_view key) {
  for (const Setting& setting : all_settings())
    if (setting.in_ini() && setting.section == section && setting.key == key) return &setting;
  return nullptr;
}

const Setting* find_option(std::string_view name) {
  for (const Setting& setting : all_settings()) {
    const auto names = setting.names();
    if (std::find(names.begin(), names.end(), name) != names.end()) return &setting;
  }
  return nullptr;
}

const std::vector<VerbInfo>& all_verbs() {
  static const std::vector<VerbInfo> verbs = {
      {Verb::Pull, "pull", "[[USER@]HOST:/PATH/ DEST/]", "bring this node to the primary's state",
       "The default, also without the word. Without a source it does what the configuration says; "
       "the timer runs it like that. With a source and a destination it takes rsync's command "
       "line."},
      {Verb::Status, "status", "", "say how this node stands",
       "Reads the status file of the last run; connects to nobody. The first word is for scripts: "
       "ok, stale, paused, failed or never."},
      {Verb::Diff, "diff", "[SOURCE DEST]", "show what a pull would change, and change nothing",
       "Text files as a unified diff; keys, PKCS#12 files and passwords are masked."},
      {Verb::Verify, "verify", "[SOURCE DEST]", "compare the contents of both sides in full",
       "Changes nothing. Ends with 43 when they differ."},
      {Verb::Pause, "pause", "", "let no timer change this node until it is resumed",
       "Writes down who, why and until when. The flag of the cluster guide, which "
       "touch /var/tmp/xroad/sync-disabled makes, works as well. A run that is at work looks at "
       "both once more before it changes anything; pause waits until it has ended."},
      {Verb::Resume, "resume", "", "end the pause", "Removes both flags, or one: --keep-flag."},
      {Verb::Generations, "generations", "", "list the kept generations", ""},
      {Verb::Rollback, "rollback", "[N]",
       "go back to the state before generation N, or before the newest",
       "All or nothing, like a pull, and kept in turn, so that it can be undone. Pause first: the "
       "next pull follows the primary again."},
      {Verb::Trust, "trust", "HOST[:PORT]", "show a host's fingerprints, ask, remember its keys",
       "The only way in which this program writes a known_hosts file."},
      {Verb::Authorize, "authorize", "KEYFILE",
       "on the primary: print the line that lets a secondary's key in", ""},
      {Verb::Probe, "probe", "[[USER@]HOST]",
       "log in, shake hands, send bytes there and back; changes nothing", ""},
      {Verb::Doctor, "doctor", "[SOURCE DEST]",
       "check each precondition in order, and say how to mend it", ""},
      {Verb::ConfigShow, "config show", "[SOURCE DEST]", "print the effective configuration",
       "The output is itself a configuration file."},
      {Verb::Completion, "completion", "bash|zsh|fish", "print a completion script", ""},
  };
  return verbs;
}

const VerbInfo& describe(Verb verb) { return all_verbs()[static_cast<std::size_t>(verb)]; }

std::string_view verb_name(Verb verb) { return describe(verb).name; }

}  // namespace xs::cli
