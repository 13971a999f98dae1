// SPDX-License-Identifier: MIT
#include "cli/load_config.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/layers.h"
#include "cli/places.h"
#include "cli/preset.h"

namespace xs::cli {
namespace {

constexpr std::size_t kFilesFrom = std::size_t{64} << 20;
constexpr Verbs kPlaceVerbs = kTreeVerbs;
// What has to work where the configuration does not.
constexpr Verbs kWithoutFiles = bit(Verb::Authorize) | bit(Verb::Completion);

std::string lookup(const Environment& environment, std::string_view name) {
  for (const auto& [key, text] : environment)
    if (key == name) return text;
  return {};
}

class Loader {
 public:
  Loader(const Words& words, const Environment& environment, const std::string& config_file)
      : words_(words), environment_(environment), config_file_(config_file) {
    bare_ = (bit(words.verb) & kPlaceVerbs) != 0 && !words.names.empty();
  }

  Config load() {
    read_layers();
    Config& config = draft_.config;
    config.verb = words_.verb;
    config.source_on_command_line = bare_;
    config.notes = words_.notes;
    apply_layers();
    take_preset();
    join_filters();
    finish();
    check();
    record();
    return std::move(config);
  }

 private:
  void read_layers() {
    layers_.push_back(built_in_layer(bare_));
    if ((bit(words_.verb) & kWithoutFiles) == 0) {
      std::string chosen = words_.config_file;
      if (chosen.empty()) chosen = lookup(environment_, "XROAD_SYNC_CONFIG");
      if (!chosen.empty()) {
        layers_.push_back(ini_layer(chosen, true));
      } else {
        layers_.push_back(ini_layer(config_file_, false));
        const std::string directory = config_file_.substr(0, config_file_.rfind('/'));
        for (const std::string& file : ini_files(directory + "/conf.d"))
          layers_.push_back(ini_layer(file, true));
      }
      layers_.push_back(environment_layer(environment_));
    }
    layers_.push_back(option_layer(words_));
    if (!bare_) return;
    for (Given& place : places_layer()) layers_.back().push_back(std::move(place));
  }

  // A list that a stronger place names again is that place's alone.
  void drop_replaced() {
    std::map<const Setting*, std::size_t> strongest;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      for (const Given& given : layers_[i]) strongest[given.setting] = i;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      std::erase_if(layers_[i], [&](const Given& given) {
        return given.setting->repeat == Repeat::Replace && strongest[given.setting] != i;
      });
    }
  }

  void apply_layers() {
    drop_replaced();
    for (const Layer& layer : layers_) {
      draft_.filters = {};
      for (const Given& given : layer) apply(given);
      rules_.push_back(draft_.filters.to_wire());
    }
  }

  void apply(const Given& given) {
    try {
      given.setting->apply(draft_, given.value);
    } catch (const Error& error) {
      throw Error(error.fault(), given.origin + ": " + error.text());
    }
  }

  // SOURCE and DEST are settings like others, and the strongest.
  Layer places_layer() const {
    const Places places = parse_places(words_.names);
    const auto given = [](std::string_view section, std::string_view key, std::string text) {
      return Given{find_key(section, key), Value{std::move(text)}, "command line"};
    };
    Layer layer{given("primary", "host", places.host), given("primary", "path", places.path),
                given("sync", "destination", places.destination)};
    if (places.user) layer.push_back(given("primary", "user", *places.user));
    return layer;
  }

  bool was_given(std::string_view section, std::string_view key) const {
    const Setting* setting = find_key(section, key);
    return std::any_of(layers_.begin() + 1, layers_.end(), [&](const Layer& layer) {
      return std::any_of(layer.begin(), layer.end(),
                         [&](const Given& given) { return given.setting == setting; });
    });
  }

  bool given_option(std::string_view name) const {
    return std::any_of(words_.options.begin(), words_.options.end(),
                       [&](const Word& word) { return word.setting == find_option(name); });
  }

  void take_preset() {
    Config& config = draft_.config;
    const Preset& asked = find_preset(draft_.preset);
    // rsync's own command line for X-Road: its excludes are the operator's, and nothing is added.
    const bool implied = bare_ && !was_given("sync", "preset") &&
                         config.primary.path == kXroadPreset.path &&
                         config.destination == kXroadPreset.path;
    config.preset = implied ? &kXroadPreset : &asked;
    draft_.filters = {};
    for (const std::string_view pattern : asked.excludes) draft_.filters.exclude(pattern);
    rules_.insert(rules_.begin(), draft_.filters.to_wire());

    if (config.guard.node_ini.empty() && !config.preset->node_ini.empty())
      config.guard.node_ini = config.destination + "/" + std::string(config.preset->node_ini);
    if (config.guard.required.empty())
      config.guard.required.assign(config.preset->required_files.begin(),
                                   config.preset->required_files.end());
    if (config.wake.action == "preset") config.wake.action = std::string(config.preset->wake);
  }

  // The first rule that matches decides, so the strongest layer comes first.
  void join_filters() {
    std::vector<std::string> all;
    for (auto layer = rules_.rbegin(); layer != rules_.rend(); ++layer)
      all.insert(all.end(), layer->begin(), layer->end());
    if (all.size() > limits::kFilterRules)
      throw Error(Fault::Usage, std::to_string(all.size()) + " filter rules are more than the " +
                                    std::to_string(limits::kFilterRules) + " that can travel");
    draft_.config.filters = FilterList::from_wire(all);
  }

  void finish() {
    Config& config = draft_.config;
    while (config.primary.path.size() > 1 && config.primary.path.back() == '/')
      config.primary.path.pop_back();
    while (config.destination.size() > 1 && config.destination.back() == '/')
      config.destination.pop_back();
    config.options.inline_limit = kInlineLimit;
    config.log.journal =
        draft_.journal == "yes" ||
        (draft_.journal == "auto" && !lookup(environment_, "JOURNAL_STREAM").empty());
    if (config.output.color == Color::Auto) {
      if (!lookup(environment_, "NO_COLOR").empty() || lookup(environment_, "TERM") == "dumb")
        config.output.color = Color::Never;
      else if (const std::string force = lookup(environment_, "CLICOLOR_FORCE");
               !force.empty() && force != "0")
        config.output.color = Color::Always;
    }
    if (!draft_.files_from.empty()) config.transfer.files = names_from(draft_.files_from);
    take_verb_names();
  }

  static constexpr std::uint32_t kInlineLimit = 4096;

  std::vector<std::string> names_from(const std::string& file) const {
    if (file == "-") throw Error(Fault::Unsupported, "--files-from from standard input");
    if (file.find(':') != std::string::npos && file.find('/') > file.find(':'))
      throw Error(Fault::Unsupported, "--files-from from the other side: " + quote(file));
    const std::string text = read_file(file, kFilesFrom);
    std::vector<std::string> names;
    for (std::string_view line : split_words(text, draft_.from0 ? '\0' : '\n')) {
      if (!draft_.from0 && line.ends_with('\r')) line.remove_suffix(1);
      const bool comment = line.empty() || line.front() == '#' || line.front() == ';';
      if (draft_.from0 ? !line.empty() : !comment) names.emplace_back(line);
    }
    return names;
  }

  void take_verb_names() {
    VerbConfig& verb = draft_.config.verb_options;
    const std::string word = words_.names.empty() ? "" : words_.names.front();
    if (words_.verb == Verb::Trust || words_.verb == Verb::Probe) verb.target = word;
    if (words_.verb == Verb::Authorize) verb.key_file = word;
    if (words_.verb == Verb::Completion) verb.shell = word;
    if (words_.verb == Verb::Rollback && !word.empty()) {
      const auto number = parse_number(word);
      if (!number || *number == 0)
        throw Error(Fault::Usage,
                    quote(word) + " is no generation's number (xroad-sync generations)");
      verb.rollback = *number;
    }
  }

  void check() const {
    const Config& config = draft_.config;
    const auto fail = [](const std::string& what) { throw Error(Fault::Usage, what); };
    const bool tree = (bit(words_.verb) & kTreeVerbs) != 0;
    if (tree && !config.options.scan.has(Scan::Recursive))
      fail(config.remove ? "--delete does not work without --recursive (-r): add -a or -r"
                         : "without -a or -r no directory would be copied: add -a");
    if (config.primary.ipv4_only && config.primary.ipv6_only) fail("-4 and -6 exclude each other");
    const VerbConfig& verb = config.verb_options;
    const bool user_given = given_option("--user");
    if (!verb.install && (user_given || !verb.authorized_file.empty()))
      fail("--user and --file need --install");
    if (user_given && !verb.authorized_file.empty()) fail("--user and --file exclude each other");
    const WakeConfig& wake = config.wake;
    if (wake.action == "command" && wake.command.empty())
      fail("[wake] action = command needs [wake] command");
    if (wake.action == "reload" && wake.unit.empty())
      fail("[wake] action = reload needs [wake] unit");
    if (wake.action == "signal" && wake.unit.empty() == wake.pid_file.empty())
      fail("[wake] action = signal needs either [wake] unit or [wake] pid-file");
    if (wake.action == "signal" && wake.signal == "HUP" &&
        (wake.unit == "xroad-signer" || wake.unit == "xroad-signer.service"))
      fail("SIGHUP kills xroad-signer: use [wake] action = signer");
  }

  // What `config show` prints: each setting's strongest value, or all of a list's.
  void record() {
    bool rules_recorded = false;
    for (const Setting& setting : all_settings()) {
      if (setting.repeat == Repeat::Add) {
        if (!std::exchange(rules_recorded, true)) record_rules();
        continue;
      }
      std::vector<const Given*> givens;
      for (auto layer = layers_.rbegin(); layer != layers_.rend() && givens.empty(); ++layer)
        for (const Given& given : *layer)
          if (given.setting == &setting) givens.push_back(&given);
      if (!givens.empty() && setting.repeat == Repeat::Last) givens = {givens.back()};
      for (const Given* given : givens) record(*given);
    }
  }

  // The settings that add rules to one list, in the order of that list.
  void record_rules() {
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
      for (const Given& given : *layer)
        if (given.setting->repeat == Repeat::Add) record(given);
  }

  void record(const Given& given) {
    draft_.config.values.push_back({given.setting, given.value.text, given.origin});
  }

  const Words& words_;
  const Environment& environment_;
  const std::string& config_file_;
  bool bare_ = false;
  std::vector<Layer> layers_;                    // weakest first
  std::vector<std::vector<std::string>> rules_;  // the same for the filters
  Draft draft_;
};

}  // namespace

Environment process_environment() {
  Environment all;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    all.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return all;
}

Config load_config(const Words& words, const Environment& environment,
                   const std::string& config_file) {
  return Loader(words, environment, config_file).load();
}

void require_primary(const Config& config) {
  if (!config.primary.host.empty()) return;
  throw Error(Fault::Usage, std::string("no primary is configured: set [primary] host in ") +
                                kConfigFile + ", or name [USER@]HOST:/PATH/ and a destination");
}

}  // namespace xs::cli
