// SPDX-License-Identifier: MIT
#include "cli/show_config.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/text.h"
#include "cli/settings.h"
#include "cli/verbs.h"

namespace xs::cli {
namespace {

std::vector<std::string_view> sections() {
  std::vector<std::string_view> names;
  for (const Setting& setting : all_settings())
    if (setting.in_ini() && std::find(names.begin(), names.end(), setting.section) == names.end())
      names.push_back(setting.section);
  return names;
}

// Comment lines of at most 100 columns.
std::string comment(std::string_view text) {
  constexpr std::size_t kWidth = 98;
  std::string out;
  std::string line;
  for (const std::string_view word : split_words(text, ' ')) {
    if (!line.empty() && line.size() + 1 + word.size() > kWidth) {
      out += "# " + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  return line.empty() ? out : out + "# " + line + "\n";
}

std::string example_of(const Setting& setting) {
  std::string out = "\n" + comment(setting.help);
  if (setting.kind == Kind::Choice || setting.kind == Kind::Number ||
      setting.kind == Kind::Duration)
    out += comment("Value: " + expected(setting.kind, setting.range));
  out += comment(setting.details);
  if (setting.repeat == Repeat::Replace) out += comment("May be repeated.");
  if (setting.repeat == Repeat::Add)
    out += comment("May be repeated; what a stronger place says comes before this.");
  out += ";" + std::string(setting.key) + " =";
  return out + (setting.fallback.empty() ? "" : " " + std::string(setting.fallback)) + "\n";
}

}  // namespace

std::string show_config(const Config& config, bool origin) {
  std::string out;
  for (const std::string_view section : sections()) {
    out += (out.empty() ? "[" : "\n[") + std::string(section) + "]\n";
    for (const EffectiveValue& value : config.values) {
      if (value.setting->section != section) continue;
      if (origin) out += "# " + value.origin + "\n";
      out += std::string(value.setting->key) + " = " + escape(value.text) + "\n";
    }
  }
  std::string once;
  for (const EffectiveValue& value : config.values) {
    if (value.setting->in_ini() || value.origin == "built-in") continue;
    once += "# " + std::string(value.setting->name());
    if (value.setting->takes_value()) once += "=" + escape(value.text);
    once += value.text == "no" ? " (off)\n" : "\n";
  }
  return once.empty() ? out : out + "\n# For this run only:\n" + once;
}

std::string example_config() {
  std::string out =
      "# Configuration of xroad-sync(1) on a secondary; xroad-sync.ini(5) describes it.\n"
      "# Every line that begins with ';' shows a default. On most nodes only [primary] host is "
      "set.\n"
      "# Files in conf.d/*.ini, the environment and the command line outweigh this file, in that\n"
      "# order. `xroad-sync config show --origin` prints what is in force, and why.\n";
  for (const std::string_view section : sections()) {
    out += "\n[" + std::string(section) + "]\n";
    for (const Setting& setting : all_settings())
      if (setting.section == section) out += example_of(setting);
  }
  return out;
}

int run_config_show(const Config& config, Clock&) {
  std::fputs(show_config(config, config.verb_options.origin).c_str(), stdout);
  return 0;
}

}  // namespace xs::cli
