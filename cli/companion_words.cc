// SPDX-License-Identifier: MIT
#include "cli/companion_words.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <string_view>
#include <vector>

namespace xs::cli {
namespace {

constexpr const char* kManual = "manual";

// The verbs that help lists, in its order.
std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
  std::vector<const CLI::App*> verbs;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->get_name() != kManual) verbs.push_back(verb);
  }
  return verbs;
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) options.push_back(option);
  }
  return options;
}

// "--config", "-h": every name with its dashes.
std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

bool takes_value(const CLI::Option& option) { return option.get_expected_max() > 0; }

// Calls `visit` with each verb and its path, "maintenance" and "maintenance on".
using Visit = std::function<void(const std::string& path, const CLI::App& verb)>;
void walk(const CLI::App& app, const std::string& before, const Visit& visit) {
  for (const CLI::App* verb : verbs_of(app)) {
    const std::string path = before + verb->get_name();
    visit(path, *verb);
    walk(*verb, path + " ", visit);
  }
}

// What may stand behind a verb: verbs of its own, its options, and a few known words.
std::string words_after(const CLI::App& app) {
  std::string words;
  for (const CLI::App* verb : verbs_of(app)) words += verb->get_name() + " ";
  if (app.get_name() == "completion") words += "bash zsh fish ";
  for (const CLI::Option* option : options_of(app)) {
    for (const std::string& name : names_of(*option)) words += name + " ";
  }
  words.pop_back();  // there is --help at least
  return words;
}

std::string in_quotes(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out;
}

// "--config|--reason": behind these stands a value.
std::string value_options(const CLI::App& app) {
  std::string names;
  const auto add = [&](const CLI::App& verb) {
    for (const CLI::Option* option : options_of(verb)) {
      if (!takes_value(*option)) continue;
      for (const std::string& name : names_of(*option)) names += (names.empty() ? "" : "|") + name;
    }
  };
  add(app);
  walk(app, "", [&](const std::string&, const CLI::App& verb) { add(verb); });
  return names;
}

// The verb that is being typed is found word by word, so that values of options do no harm.
std::string bash(const CLI::App& app) {
  std::string cases = "    '') options='" + words_after(app) + "' ;;\n";
  std::string known;
  walk(app, "", [&](const std::string& path, const CLI::App& verb) {
    known += (known.empty() ? "'" : "|'") + path + "'";
    cases += "    '" + path + "') options='" + words_after(verb) + "' ;;\n";
  });
  return "# bash completion for xroad-companion; made by `xroad-companion completion bash`\n"
         "_xroad_companion() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word verb= "
         "options\n"
         "  COMPREPLY=()\n"
         "  case $prev in\n    " +
         value_options(app) +
         ") return ;;\n  esac\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \"${verb:+$verb }$word\" in\n      " +
         known +
         ") verb=${verb:+$verb }$word ;;\n    esac\n  done\n"
         "  case $verb in\n" +
         cases +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
         "}\n"
         "complete -o default -F _xroad_companion xroad-companion\n";
}

std::string zsh(const CLI::App& app) {
  std::string cases = "    '') words_=(" + words_after(app) + ") ;;\n";
  std::string known;
  walk(app, "", [&](const std::string& path, const CLI::App& verb) {
    known += (known.empty() ? "'" : "|'") + path + "'";
    cases += "    '" + path + "') words_=(" + words_after(verb) + ") ;;\n";
  });
  return "#compdef xroad-companion\n"
         "# zsh completion for xroad-companion; made by `xroad-companion completion zsh`\n"
         "_xroad_companion() {\n  local verb= word\n  local -a words_\n"
         "  case $words[CURRENT-1] in\n    " +
         value_options(app) +
         ") _files; return ;;\n  esac\n"
         "  for word in ${words[2,CURRENT-1]}; do\n    case \"${verb:+$verb }$word\" in\n      " +
         known + ") verb=\"${verb:+$verb }$word\" ;;\n    esac\n  done\n  case $verb in\n" + cases +
         "  esac\n  compadd -- $words_\n}\n_xroad_companion \"$@\"\n";
}

std::string fish(const CLI::App& app) {
  std::string known;
  std::string lines;
  const auto offer = [&](const std::string& path, const CLI::App& verb) {
    const std::string when =
        "complete -c xroad-companion -n '__xroad_companion_verb \"" + path + "\"'";
    for (const CLI::App* next : verbs_of(verb)) {
      lines +=
          when + " -fa " + next->get_name() + " -d '" + in_quotes(next->get_description()) + "'\n";
    }
    if (path == "completion") lines += when + " -fa 'bash zsh fish'\n";
    for (const CLI::Option* option : options_of(verb)) {
      lines += when;
      for (const std::string& name : option->get_snames()) lines += " -s " + name;
      for (const std::string& name : option->get_lnames()) lines += " -l " + name;
      if (takes_value(*option)) lines += " -r";
      lines += " -d '" + in_quotes(option->get_description()) + "'\n";
    }
  };
  offer("", app);
  walk(app, "", [&](const std::string& path, const CLI::App& verb) {
    known += " '" + path + "'";
    offer(path, verb);
  });
  return "# fish completion for xroad-companion; made by `xroad-companion completion fish`\n"
         "function __xroad_companion_verb\n"
         "    set -l verb ''\n"
         "    for word in (commandline -opc)[2..]\n"
         "        set -l longer (string trim \"$verb $word\")\n"
         "        if contains -- \"$longer\"" +
         known +
         "\n            set verb $longer\n        end\n    end\n"
         "    test \"$verb\" = \"$argv[1]\"\nend\n" +
         lines;
}

std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else {
      out += c == '-' ? std::string("\\-") : std::string(1, c);
    }
  }
  return out;
}

// A new sentence on a new line.
std::string sentences(const std::string& text) {
  std::string out = roff(text) + "\n";
  for (std::size_t at = out.find(". "); at != std::string::npos; at = out.find(". ", at)) {
    out.replace(at, 2, ".\n");
  }
  return out;
}

std::string option_text(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : names_of(option)) {
    names += (names.empty() ? "\\fB" : ", \\fB") + roff(name) + "\\fR";
  }
  if (takes_value(option)) names += " \\fIVALUE\\fR";
  std::string text = ".TP\n" + names + "\n" + sentences(option.get_description());
  const std::string fallback = option.get_default_str();
  return fallback.empty() ? text : text + "Default: \\fB" + roff(fallback) + "\\fR.\n";
}

std::string manual_verbs(const CLI::App& app) {
  std::string text;
  walk(app, "", [&](const std::string& path, const CLI::App& verb) {
    text += ".SS " + roff(path) + "\n" + sentences(verb.get_description());
    for (const CLI::Option* option : options_of(verb)) {
      if (names_of(*option).back() != "--help") text += option_text(*option);
    }
  });
  text += ".SS With every verb\n";
  for (const CLI::Option* option : options_of(app)) text += option_text(*option);
  return text;
}

}  // namespace

void add_companion_words(CLI::App& app, std::string& shell) {
  CLI::App* completion = app.add_subcommand(
      "completion", "Print the completion script of a shell: bash, zsh or fish.");
  completion->add_option("shell", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  app.add_subcommand(kManual, "The verbs in roff, for the manual page.")->group("");
}

std::optional<std::string> companion_words(const CLI::App& app, const std::string& shell) {
  if (app.got_subcommand(kManual)) return manual_verbs(app);
  if (!app.got_subcommand("completion")) return std::nullopt;
  return shell == "bash" ? bash(app) : shell == "zsh" ? zsh(app) : fish(app);
}

}  // namespace xs::cli
