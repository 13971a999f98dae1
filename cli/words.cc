// SPDX-License-Identifier: MIT
#include "cli/words.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "cli/nearest.h"
#include "cli/rsync_options.h"

namespace xs::cli {
namespace {

[[noreturn]] void usage(const std::string& what) {
  throw Error(Fault::Usage, what + " (xroad-sync --help)");
}

[[noreturn]] void unknown(const std::string& written) {
  std::vector<std::string_view> names = {"--help", "--version", "--config"};
  for (const Setting& setting : all_settings())
    for (const std::string_view name : setting.names())
      if (name.starts_with("--")) names.push_back(name);
  usage("unknown option " + quote(written) +
        (written.starts_with("--") ? suggestion(written, names) : ""));
}

// What is known of an option, from either table.
struct Known {
  const Setting* setting = nullptr;
  const RsyncOption* rsync = nullptr;
  bool negated = false;
  bool takes_value() const {
    return setting != nullptr ? setting->takes_value() && !negated : rsync->takes_value && !negated;
  }
  explicit operator bool() const { return setting != nullptr || rsync != nullptr; }
};

Known look_up(const std::string& name) {
  if (const Setting* setting = find_option(name)) return {setting, nullptr, false};
  if (const RsyncOption* option = find_rsync_option(name)) return {nullptr, option, false};
  return {};
}

// --no-perms, --no-p; also of options that take a value (--no-bwlimit).
Known look_up_negation(const std::string& name) {
  constexpr std::string_view kNo = "--no-";
  if (!name.starts_with(kNo)) return {};
  const std::string rest = name.substr(kNo.size());
  Known known = look_up("--" + rest);
  if (!known && rest.size() == 1) known = look_up("-" + rest);
  known.negated = true;
  const bool listed = known.setting != nullptr && known.setting->repeat != Repeat::Last;
  return listed ? Known{} : known;
}

class Scanner {
 public:
  explicit Scanner(const std::vector<std::string>& arguments) : arguments_(arguments) {}

  Words scan() {
    if (arguments_ == std::vector<std::string>{"-h"}) words_.help = true;
    while (at_ < arguments_.size()) {
      const std::string& argument = arguments_[at_++];
      if (argument == "--") {
        words_.names.insert(words_.names.end(), arguments_.begin() + static_cast<long>(at_),
                            arguments_.end());
        break;
      }
      if (argument.starts_with("--"))
        long_option(argument);
      else if (argument.size() > 1 && argument.front() == '-')
        bundle(argument);
      else
        name(argument);
    }
    if (verb_name_ == "config") usage("write: xroad-sync config show");
    check_verb();
    return std::move(words_);
  }

 private:
  std::string next(const std::string& written) {
    if (at_ >= arguments_.size()) usage("option " + quote(written) + " needs a value");
    return arguments_[at_++];
  }

  void long_option(const std::string& argument) {
    const std::size_t equals = argument.find('=');
    const std::string written = argument.substr(0, equals);
    const std::optional<std::string> value =
        equals == std::string::npos ? std::nullopt : std::optional(argument.substr(equals + 1));
    if (written == "--config") {
      words_.config_file = value ? *value : next(written);
      return;
    }
    if (written == "--help" || written == "--version") {
      (written == "--help" ? words_.help : words_.version) = true;
      return;
    }
    Known known = look_up(written);
    if (!known) known = look_up_negation(written);
    if (!known) unknown(written);
    if (value && !known.takes_value()) usage("option " + quote(written) + " takes no value");
    take(known, written, known.takes_value() ? (value ? *value : next(written)) : "");
  }

  void bundle(const std::string& argument) {
    for (std::size_t i = 1; i < argument.size(); ++i) {
      const std::string written = std::string("-") + argument[i];
      if (written == "-V") {
        words_.version = true;
        continue;
      }
      const Known known = look_up(written);
      if (!known) unknown(written);
      if (!known.takes_value()) {
        take(known, written, "");
        continue;
      }
      // The rest of the bundle is the value; one '=' before it is dropped, as popt does.
      std::string value = argument.substr(i + 1);
      if (value.starts_with('=')) value.erase(0, 1);
      if (i + 1 == argument.size()) value = next(written);
      take(known, written, value);
      return;
    }
  }

  void take(const Known& known, const std::string& written, std::string value) {
    if (known.setting != nullptr) {
      words_.options.push_back({known.setting, written, std::move(value), known.negated});
      return;
    }
    const RsyncOption& option = *known.rsync;
    if (known.negated) return;  // what we never do
    if (option.answer == Answer::Refused) {
      if (refused_.empty()) refused_ = written;
      return;
    }
    words_.notes.push_back(written + " has no effect: " + std::string(option.reason));
  }

  // The first name may be a verb; a source is never one, because it has a colon.
  void name(const std::string& word) {
    if (!first_name_seen_) {
      first_name_seen_ = true;
      if (find_verb(word)) return;
      if (word.find_first_of(":/") == std::string::npos) unknown_verb(word);
    } else if (verb_name_ == "config") {
      if (!find_verb("config " + word)) usage("write: xroad-sync config show");
      return;
    }
    words_.names.push_back(word);
  }

  bool find_verb(const std::string& word) {
    verb_name_ = word;
    for (const VerbInfo& info : all_verbs()) {
      if (info.name != word) continue;
      words_.verb = info.verb;
      return true;
    }
    return word == "config";
  }

  // Known only now: whose options these were.
  void check_verb() const {
    if (words_.help || words_.version) return;
    const std::string verb(verb_name(words_.verb));
    for (const Word& word : words_.options) {
      if ((word.setting->verbs & bit(words_.verb)) == 0)
        usage(quote(word.written) + " is no option of " + quote(verb));
    }
    if (refused_.empty()) return;
    if ((bit(words_.verb) & kTreeVerbs) == 0)
      usage(quote(refused_) + " is no option of " + quote(verb));
    throw Error(Fault::Unsupported, "option " + refused_ + " of rsync is not supported: " +
                                        std::string(find_rsync_option(refused_)->reason));
  }

  // A name that is neither a verb nor could be one of rsync's places.
  [[noreturn]] static void unknown_verb(const std::string& word) {
    std::vector<std::string_view> verbs;
    for (const VerbInfo& info : all_verbs()) verbs.push_back(info.name);
    usage("there is no verb " + quote(word) + suggestion(word, verbs));
  }

  const std::vector<std::string>& arguments_;
  std::size_t at_ = 0;
  bool first_name_seen_ = false;
  std::string verb_name_;
  std::string refused_;  // the first option of rsync's that we do not have
  Words words_;
};

}  // namespace

Words parse_words(const std::vector<std::string>& arguments) { return Scanner(arguments).scan(); }

}  // namespace xs::cli
