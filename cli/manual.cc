// SPDX-License-Identifier: MIT
#include "cli/manual.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "cli/rsync_options.h"
#include "cli/settings.h"
#include "sync/xroad/preset.h"

namespace xs::cli {
namespace {

std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + roff(text) + "\\fR"; }

std::string capital(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 32);
  return out;
}

std::string option_tag(const Setting& setting) {
  std::string out;
  for (const std::string_view name : setting.names()) out += (out.empty() ? "" : ", ") + bold(name);
  if (!setting.takes_value()) return out;
  return out + (setting.options.find("--") == std::string_view::npos ? " " : "=") +
         italic(setting.argument);
}

std::string options() {
  std::string out;
  std::string_view group;
  for (const Setting& setting : all_settings()) {
    if (setting.options.empty()) continue;
    if (setting.group != group) out += ".SS " + roff(setting.group) + "\n";
    group = setting.group;
    out += ".TP\n" + option_tag(setting) + "\n" + sentences(capital(setting.help) + ".");
    if (setting.group == "Of one verb") {
      for (const VerbInfo& verb : all_verbs())
        if ((setting.verbs & bit(verb.verb)) != 0) out += "Of " + bold(verb.name) + " only.\n";
    }
    out += sentences(setting.details);
    if (setting.in_ini())
      out += "Configured as " +
             bold("[" + std::string(setting.section) + "] " + std::string(setting.key)) + ".\n";
  }
  return out;
}

std::string verbs() {
  std::string out;
  for (const VerbInfo& verb : all_verbs()) {
    out += ".TP\n" + bold(verb.name);
    if (!verb.arguments.empty()) out += " " + italic(verb.arguments);
    out += "\n" + sentences(capital(verb.help) + ".") + sentences(verb.details);
  }
  return out;
}

std::string exit_codes() {
  std::string out = ".TP\n.B 0\n" + roff("Done.") + "\n";
  for (const FaultInfo& info : kFaults)
    out += ".TP\n.B " + std::to_string(exit_code(info.fault)) + "\n" + roff(capital(info.meaning)) +
           " (" + italic(info.name) + ").\n";
  return out;
}

// Options with the same reason share an item.
std::string rsync_answers(Answer answer) {
  std::vector<std::string_view> reasons;
  for (const RsyncOption& option : rsync_options())
    if (option.answer == answer &&
        std::find(reasons.begin(), reasons.end(), option.reason) == reasons.end())
      reasons.push_back(option.reason);
  std::string out;
  for (const std::string_view reason : reasons) {
    std::string names;
    for (const RsyncOption& option : rsync_options()) {
      if (option.answer != answer || option.reason != reason) continue;
      for (const std::string_view name : split_words(option.options, ','))
        names += (names.empty() ? "" : ", ") + bold(name);
    }
    out += (out.empty() ? "" : ".PP\n") + names + "\n.RS 4\n" + roff(capital(reason)) + ".\n.RE\n";
  }
  return out;
}

std::string keys() {
  std::string out;
  std::string_view section;
  for (std::string_view name :
       {"primary", "sync", "limits", "keep", "pause", "guard", "wake", "log", "status", "output"}) {
    for (const Setting& setting : all_settings()) {
      if (setting.section != name) continue;
      if (section != name) out += ".SS [" + roff(name) + "]\n";
      section = name;
      out += ".TP\n" + bold(setting.key) + " = " +
             italic(setting.argument.empty() ? expected(setting.kind, setting.range)
                                             : setting.argument) +
             "\n";
      out += sentences(capital(setting.help) + ".");
      if (setting.kind == Kind::Choice || setting.kind == Kind::Number)
        out += capital(expected(setting.kind, setting.range)) + ".\n";
      out += sentences(setting.details);
      if (setting.repeat != Repeat::Last) out += "May be repeated.\n";
      if (!setting.fallback.empty()) out += "Default: " + bold(setting.fallback) + ".\n";
      if (setting.bare != kSameDefault)
        out += "With a source on the command line: " +
               (setting.bare.empty() ? std::string("unset") : bold(setting.bare)) + ".\n";
      if (!setting.options.empty()) out += "Option: " + bold(setting.name()) + ".\n";
    }
  }
  return out;
}

std::string variables() {
  std::string out;
  for (const Setting& setting : all_settings()) {
    if (setting.environment.empty()) continue;
    out += ".TP\n.B " + std::string(setting.environment) + "\n" + "The same as " +
           bold("[" + std::string(setting.section) + "] " + std::string(setting.key)) +
           ", as in the unit of the cluster guide.\n";
  }
  return out;
}

std::string excludes() {
  std::string out;
  for (const std::string& pattern : xroad_preset().excludes) out += roff(pattern) + "\n";
  return out;
}

// Lines of text, not requests, are broken where a blank allows it.
std::string wrapped(const std::string& page) {
  constexpr std::size_t kWidth = 79;
  std::string out;
  bool tag = false;  // of .TP: one line, however long
  for (std::string_view rest = page; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!tag && line.size() > kWidth && line.front() != '.') {
      std::size_t blank = line.rfind(' ', kWidth);
      while (blank != std::string_view::npos && blank > 0 &&
             (line[blank + 1] == '.' || line[blank + 1] == '\''))
        blank = line.rfind(' ', blank - 1);
      if (blank == std::string_view::npos || blank == 0) break;
      out += std::string(line.substr(0, blank)) + "\n";
      line.remove_prefix(blank + 1);
    }
    out += std::string(line) + "\n";
    tag = line == ".TP";
  }
  return out;
}

std::string part(std::string_view name) {
  if (name == "EXCLUDES") return excludes();
  if (name == "OPTIONS") return options();
  if (name == "VERBS") return verbs();
  if (name == "EXIT") return exit_codes();
  if (name == "ACCEPTED") return rsync_answers(Answer::Accepted);
  if (name == "REFUSED") return rsync_answers(Answer::Refused);
  if (name == "KEYS") return keys();
  if (name == "VARIABLES") return variables();
  throw Error(Fault::Usage, "a manual page has no part " + quote(name));
}

}  // namespace

std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.empty() && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

// "e.g. this", then a sentence of its own: roff wants a new sentence on a new line.
std::string sentences(std::string_view text) {
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    std::size_t end = text.find(". ", from);
    end = end == std::string_view::npos ? text.size() : end + 1;
    out += roff(text.substr(from, end - from)) + "\n";
    from = end + (end < text.size() ? 1 : 0);
  }
  return out;
}

std::string manual_page(std::string_view prose,
                        const std::map<std::string, std::string, std::less<>>& more) {
  std::string out;
  while (!prose.empty()) {
    const std::size_t end = std::min(prose.find('\n'), prose.size());
    const std::string_view line = prose.substr(0, end);
    if (line.size() > 2 && line.front() == '@' && line.back() == '@') {
      const auto found = more.find(line.substr(1, line.size() - 2));
      out += found != more.end() ? found->second : part(line.substr(1, line.size() - 2));
    } else {
      out += std::string(line) + "\n";
    }
    prose.remove_prefix(std::min(end + 1, prose.size()));
  }
  return wrapped(out);
}

}  // namespace xs::cli
