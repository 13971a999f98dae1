// SPDX-License-Identifier: MIT
#include "cli/completion.h"

#include <cstdio>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "cli/settings.h"
#include "cli/verbs.h"

namespace xs::cli {
namespace {

std::vector<const Setting*> options_of(Verb verb) {
  std::vector<const Setting*> all;
  for (const Setting& setting : all_settings())
    if (!setting.options.empty() && (setting.verbs & bit(verb)) != 0) all.push_back(&setting);
  return all;
}

// Every name of an option of the verb, and those that all verbs have.
std::string names_of(Verb verb) {
  std::string out = "--config --help";
  if (verb == Verb::Pull) out += " --version";
  for (const Setting* setting : options_of(verb))
    for (const std::string_view name : setting->names()) out += " " + std::string(name);
  return out;
}

std::string words_of(const Setting& setting) {
  std::string out;
  for (const std::string_view word : split_words(setting.range, '|'))
    out += (out.empty() ? "" : " ") + std::string(word);
  return out;
}

// For a shell's single quotes, and for the descriptions inside zsh's specifications.
std::string quoted(std::string_view text, std::string_view escaped) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (escaped.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string first_word(std::string_view name) {
  return std::string(name.substr(0, name.find(' ')));
}

std::string verb_words() {
  std::string out;
  for (const VerbInfo& verb : all_verbs()) out += (out.empty() ? "" : " ") + first_word(verb.name);
  return out;
}

std::string names_pattern(const Setting& setting) {
  std::string out;
  for (const std::string_view name : setting.names())
    out += (out.empty() ? "" : "|") + std::string(name);
  return out;
}

std::string bash_values() {
  std::string out = "  case $prev in\n    --config) return ;;\n";
  for (const Setting& setting : all_settings()) {
    if (setting.options.empty() || !setting.takes_value()) continue;
    out += "    " + names_pattern(setting) + ") ";
    if (setting.kind == Kind::Choice)
      out += "mapfile -t COMPREPLY < <(compgen -W '" + words_of(setting) + "' -- \"$cur\"); ";
    else if (setting.kind != Kind::Path)
      out += "compopt +o default; ";
    out += "return ;;\n";
  }
  return out + "  esac\n";
}

std::string bash() {
  std::string out =
      "# bash completion for xroad-sync; made by `xroad-sync completion bash`\n"
      "_xroad_sync() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word verb= options\n"
      "  COMPREPLY=()\n"
      "  # readline divides --name=value at the equals sign\n"
      "  [ \"$cur\" = = ] && cur=\n"
      "  [ \"$prev\" = = ] && prev=${COMP_WORDS[COMP_CWORD-2]}\n";
  out += bash_values();
  out += "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case $word in\n";
  std::string pattern = verb_words();
  for (char& c : pattern) c = c == ' ' ? '|' : c;
  out += "      " + pattern + ") verb=$word; break ;;\n    esac\n  done\n  case $verb in\n";
  for (const VerbInfo& verb : all_verbs()) {
    const std::string word = first_word(verb.name);
    out += "    " + (verb.verb == Verb::Pull ? "''|pull" : word) + ") options='" +
           names_of(verb.verb) + "'";
    if (verb.verb == Verb::Completion) out += "; [[ $cur = -* ]] || options='bash zsh fish'";
    if (verb.verb == Verb::ConfigShow) out += "; [[ $cur = -* ]] || options=show";
    out += " ;;\n";
  }
  out += "  esac\n  [ -n \"$verb\" ] || [[ $cur = -* ]] || options='" + verb_words() +
         "'\n"
         "  [[ $cur = -* ]] || case $verb in ''|completion|config) ;; *) return ;; esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
         "}\n"
         "complete -o default -F _xroad_sync xroad-sync\n";
  return out;
}

// '(-e --rsh)'{-e+,--rsh=}'[help]:FILE:_files'
std::string zsh_option(const Setting& setting) {
  std::string exclusive;
  std::string names;
  const auto all = setting.names();
  for (const std::string_view name : all) {
    exclusive += (exclusive.empty() ? "" : " ") + std::string(name);
    std::string form(name);
    if (setting.takes_value()) form += name.starts_with("--") ? "=" : "+";
    names += (names.empty() ? "" : ",") + form;
  }
  const bool repeats = setting.kind == Kind::Count || setting.repeat != Repeat::Last;
  std::string out = repeats ? "'*'" : "'(" + exclusive + ")'";
  out += all.size() > 1 ? "{" + names + "}" : names;
  out += "'[" + quoted(setting.help, "[]:\\") + "]";
  if (setting.takes_value()) {
    out += ":" + quoted(setting.argument, "[]:\\") + ":";
    if (setting.kind == Kind::Choice) out += "(" + words_of(setting) + ")";
    if (setting.kind == Kind::Path) out += "_files";
  }
  return out + "'";
}

std::string zsh() {
  std::string out =
      "#compdef xroad-sync\n# zsh completion for xroad-sync; made by `xroad-sync completion zsh`\n"
      "_xroad_sync() {\n  local verb=pull word\n  local -a verbs options\n  verbs=(\n";
  std::string pattern = verb_words();
  for (char& c : pattern) c = c == ' ' ? '|' : c;
  for (const VerbInfo& verb : all_verbs())
    out += "    '" + first_word(verb.name) + ":" + quoted(verb.help, ":\\") + "'\n";
  out += "  )\n  for word in ${words[2,CURRENT-1]}; do\n    case $word in\n      " + pattern +
         ") verb=$word; break ;;\n    esac\n  done\n"
         "  options=('--config=[read this configuration]:FILE:_files' '--help[show help]')\n"
         "  case $verb in\n";
  for (const VerbInfo& verb : all_verbs()) {
    out += "    " + first_word(verb.name) + ") options+=(\n";
    for (const Setting* setting : options_of(verb.verb))
      out += "      " + zsh_option(*setting) + "\n";
    out += "      ) ;;\n";
  }
  return out +
         "  esac\n  _describe -t verbs verb verbs\n"
         "  case $verb in\n    completion) compadd bash zsh fish ;;\n    config) compadd show ;;\n"
         "  esac\n  _arguments -s -S $options '*:file:_files'\n}\n_xroad_sync \"$@\"\n";
}

std::string fish() {
  std::string out =
      "# fish completion for xroad-sync; made by `xroad-sync completion fish`\n"
      "function __xroad_sync_verb\n"
      "    set -l seen pull\n"
      "    for word in (commandline -opc)[2..]\n"
      "        if contains -- $word " +
      verb_words() +
      "\n"
      "            set seen $word\n            break\n        end\n    end\n"
      "    contains -- $seen $argv\nend\n"
      "complete -c xroad-sync -l config -rF -d 'read this configuration'\n"
      "complete -c xroad-sync -l help -d 'show help'\n"
      "complete -c xroad-sync -n '__xroad_sync_verb completion' -a 'bash zsh fish'\n"
      "complete -c xroad-sync -n '__xroad_sync_verb config' -a show\n";
  for (const VerbInfo& verb : all_verbs())
    out += "complete -c xroad-sync -n __fish_is_first_arg -a " + first_word(verb.name) + " -d '" +
           quoted(verb.help, "") + "'\n";
  for (const Setting& setting : all_settings()) {
    if (setting.options.empty()) continue;
    std::string verbs;
    for (const VerbInfo& verb : all_verbs())
      if ((setting.verbs & bit(verb.verb)) != 0) verbs += " " + first_word(verb.name);
    out += "complete -c xroad-sync -n '__xroad_sync_verb" + verbs + "'";
    for (const std::string_view name : setting.names())
      out += name.starts_with("--") ? " -l " + std::string(name.substr(2))
                                    : " -s " + std::string(name.substr(1));
    if (setting.kind == Kind::Choice)
      out += " -xa '" + words_of(setting) + "'";
    else if (setting.kind == Kind::Path)
      out += " -rF";
    else if (setting.takes_value())
      out += " -x";
    out += " -d '" + quoted(setting.help, "") + "'\n";
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  throw Error(Fault::Usage, "no completion for " + quote(shell) + ": bash, zsh or fish");
}

int run_completion(const Config& config, Clock&) {
  std::fputs(completion_script(config.verb_options.shell).c_str(), stdout);
  return 0;
}

}  // namespace xs::cli
