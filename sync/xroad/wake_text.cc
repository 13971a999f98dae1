// SPDX-License-Identifier: MIT
#include "sync/xroad/wake_text.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>
#include <vector>

#include "base/text.h"

namespace xs {
namespace {

struct SignalName {
  std::string_view name;
  int number;
};

constexpr auto kSignals = std::to_array<SignalName>({{"HUP", SIGHUP},
                                                     {"INT", SIGINT},
                                                     {"QUIT", SIGQUIT},
                                                     {"USR1", SIGUSR1},
                                                     {"USR2", SIGUSR2},
                                                     {"TERM", SIGTERM},
                                                     {"CONT", SIGCONT},
                                                     {"WINCH", SIGWINCH}});

constexpr std::size_t kUnitLimit = 255;

[[noreturn]] void fail(const std::string& why) {
  throw Error(Fault::Usage, "wake: " + why +
                                "; it is one of: none, signer, command /PATH ARG..., signal NAME "
                                "UNIT, signal NAME /PID/FILE, reload UNIT");
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
      in_word = true;
    } else if (is_blank(c) && !quoted) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quoted) fail("a double quote is not closed in " + quote(text));
  if (in_word) words.push_back(word);
  return words;
}

int signal_of(std::string_view name) {
  const std::string_view bare = name.substr(0, 3) == "SIG" ? name.substr(3) : name;
  for (const SignalName& known : kSignals) {
    if (known.name == bare) return known.number;
  }
  fail(quote(name) + " is no signal that can be sent");
}

std::string_view signal_name(int number) {
  const auto* found = std::find_if(kSignals.begin(), kSignals.end(),
                                   [number](const auto& known) { return known.number == number; });
  return found == kSignals.end() ? std::string_view("?") : found->name;
}

std::string unit_of(const std::string& word) {
  constexpr std::string_view kOthers = ":_.\\@-";
  const bool good = !word.empty() && word.size() <= kUnitLimit && word.front() != '-' &&
                    std::all_of(word.begin(), word.end(), [kOthers](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
                    });
  if (!good) fail(quote(word) + " is no name of a unit");
  return word;
}

// It handles no signal: each one ends it or does nothing.
void refuse_signer(const std::string& unit) {
  if (unit != "xroad-signer" && unit != "xroad-signer.service") return;
  fail("a signal does not make " + unit +
       " read its keys again, and SIGHUP kills it: use 'signer'");
}

void check_count(const std::vector<std::string>& words, std::size_t count) {
  if (words.size() != count) {
    fail(quote(words.front()) + " takes " + std::to_string(count - 1) + " words, not " +
         std::to_string(words.size() - 1));
  }
}

WakeAction command(const std::vector<std::string>& words) {
  WakeAction action;
  action.kind = WakeAction::Kind::Command;
  action.argv.assign(words.begin() + 1, words.end());
  if (action.argv.empty() || action.argv.front().substr(0, 1) != "/") {
    fail("a command begins with an absolute path; no PATH is searched");
  }
  return action;
}

WakeAction signal(const std::vector<std::string>& words) {
  check_count(words, 3);
  WakeAction action;
  action.kind = WakeAction::Kind::Signal;
  action.signal = signal_of(words[1]);
  if (!words[2].empty() && words[2].front() == '/') {
    action.pid_file = words[2];
  } else {
    action.unit = unit_of(words[2]);
    refuse_signer(action.unit);
  }
  return action;
}

WakeAction reload(const std::vector<std::string>& words) {
  check_count(words, 2);
  WakeAction action;
  action.kind = WakeAction::Kind::Reload;
  action.unit = unit_of(words[1]);
  return action;
}

std::string quoted_if_needed(const std::string& word) {
  const bool plain = !word.empty() && std::none_of(word.begin(), word.end(), is_blank);
  return plain ? word : '"' + word + '"';
}

}  // namespace

WakeAction parse_wake(std::string_view text) {
  const std::vector<std::string> words = words_of(text);
  if (words.empty()) fail("it is empty");
  const std::string& verb = words.front();
  if (verb == "command") return command(words);
  if (verb == "signal") return signal(words);
  if (verb == "reload") return reload(words);
  check_count(words, 1);
  WakeAction action;
  if (verb == "signer") {
    action.kind = WakeAction::Kind::Signer;
  } else if (verb != "none") {
    fail(quote(verb) + " is unknown");
  }
  return action;
}

std::string wake_text(const WakeAction& action) {
  switch (action.kind) {
    case WakeAction::Kind::None: return "none";
    case WakeAction::Kind::Signer: return "signer";
    case WakeAction::Kind::Reload: return "reload " + action.unit;
    case WakeAction::Kind::Signal:
      return "signal " + std::string(signal_name(action.signal)) + " " +
             quoted_if_needed(action.unit.empty() ? action.pid_file : action.unit);
    case WakeAction::Kind::Command: break;
  }
  std::string text = "command";
  for (const std::string& word : action.argv) text += " " + quoted_if_needed(word);
  return text;
}

}  // namespace xs
