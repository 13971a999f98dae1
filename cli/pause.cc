// SPDX-License-Identifier: MIT
#include "cli/pause.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "base/error.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "sync/lock.h"
#include "sync/recovery.h"

namespace xs::cli {
namespace {

constexpr std::string_view kSection = "pause";

std::string name_of(uid_t uid) {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const bool known =
      ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  return known ? found->pw_name : std::to_string(uid);
}

std::string caller() {
  const char* const sudo = std::getenv("SUDO_USER");
  std::string us = name_of(::getuid());
  if (sudo == nullptr || *sudo == '\0' || us == sudo) return us;
  return std::string(sudo) + " as " + us;
}

tm local_time(WallSeconds at) {
  const auto seconds = static_cast<std::time_t>(at);
  tm parts{};
  ::localtime_r(&seconds, &parts);
  return parts;
}

std::string show_time(WallSeconds at) {
  const tm parts = local_time(at);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M", &parts);
  return text.data();
}

std::optional<WallSeconds> number_of(const Ini& ini, std::string_view key) {
  const IniValue* const value = ini.find(kSection, key);
  if (value == nullptr) return std::nullopt;
  const auto number = parse_number(value->value);
  if (!number || *number > 1ULL << 40) {
    throw Error(Fault::Usage, value->where() + ": no time: " + quote(value->value));
  }
  return static_cast<WallSeconds>(*number);
}

std::string word_of(const Ini& ini, std::string_view key) {
  const IniValue* const value = ini.find(kSection, key);
  return value == nullptr ? std::string() : unescape(value->value);
}

std::optional<struct stat> look(const std::string& file) {
  struct stat st {};
  if (::lstat(file.c_str(), &st) == 0) return st;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw_errno("stat", file);
}

std::optional<StatusPause> find_flag(const std::string& file) {
  if (file.empty()) return std::nullopt;
  const auto st = look(file);
  if (!st) return std::nullopt;
  StatusPause pause;
  pause.by = name_of(st->st_uid);
  pause.reason = "the flag " + escape(file);
  pause.since = st->st_mtime;
  return pause;
}

std::optional<StatusPause> find_state(const std::string& file, WallSeconds now) {
  if (file.empty()) return std::nullopt;
  const auto st = look(file);
  if (!st) return std::nullopt;
  try {
    StatusPause pause = decode_pause(read_file(file, kPauseLimit), file);
    if (pause.until && *pause.until <= now) return std::nullopt;
    return pause;
  } catch (const Error& error) {
    StatusPause pause;
    pause.by = name_of(st->st_uid);
    pause.reason = "a pause that cannot be read: " + error.text();
    pause.since = st->st_mtime;
    return pause;
  }
}

std::optional<WallSeconds> parse_span(std::string_view text) {
  if (text.starts_with("in ")) text.remove_prefix(3);
  if (text.ends_with("min")) text.remove_suffix(2);
  if (text.size() < 2) return std::nullopt;
  const auto count = parse_number(text.substr(0, text.size() - 1));
  if (!count || *count == 0 || *count > 10'000'000) return std::nullopt;
  const auto number = static_cast<WallSeconds>(*count);
  switch (text.back()) {
    case 's': return number;
    case 'm': return number * 60;
    case 'h': return number * 3600;
    case 'd': return number * 86400;
    default: return std::nullopt;
  }
}

std::optional<WallSeconds> parse_moment(const std::string& text, const char* format) {
  tm parts{};
  const char* const end = ::strptime(text.c_str(), format, &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  parts.tm_isdst = -1;
  return std::mktime(&parts);
}

std::optional<WallSeconds> parse_clock_time(const std::string& text, WallSeconds now) {
  tm parts = local_time(now);
  tm wanted{};
  const char* const end = ::strptime(text.c_str(), "%H:%M", &wanted);
  if (end == nullptr || *end != '\0') return std::nullopt;
  parts.tm_hour = wanted.tm_hour;
  parts.tm_min = wanted.tm_min;
  parts.tm_sec = 0;
  parts.tm_isdst = -1;
  const auto today = std::mktime(&parts);
  if (today > now) return today;
  ++parts.tm_mday;
  parts.tm_isdst = -1;
  return std::mktime(&parts);
}

bool remove_if_there(const std::string& file) {
  if (file.empty()) return false;
  if (::unlink(file.c_str()) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) throw_errno("unlink", file);
  return false;
}

// Whoever pauses goes on to something that a commit must not meet. A run looks at the pause before
// its commit, so only one that had come so far before still changes the tree: until it ends, the
// pause has not begun.
void wait_for_run(const Config& config, Clock& clock) {
  constexpr Duration kPoll = std::chrono::milliseconds(100);
  const Instant end = clock.now() + config.pause.wait;
  for (bool told = false;; told = true) {
    StatusRunning running;
    try {
      running = find_running(config.destination);
    } catch (const Error& error) {
      throw Error(error.fault(),
                  "it is paused, but whether a run is at work cannot be told: " + error.text(),
                  error.code());
    }
    if (!running.process) {
      if (has_unfinished_commit(config.destination)) {
        std::printf(
            "a commit was cut short here: the next run completes it, in spite of the pause; to "
            "have "
            "that now: xroad-sync pull --ignore-pause\n");
      }
      return;
    }
    const std::string run = running_words(running);
    if (config.pause.wait.count() == 0) {
      std::printf("not waited for: %s; it may change the tree until it ends\n", run.c_str());
      return;
    }
    if (clock.now() >= end) {
      throw Error(Fault::Locked, "it is paused, but the tree may still change: " + run +
                                     " has not ended; ask again with: xroad-sync status");
    }
    if (!told) std::fprintf(stderr, "waiting for the end of %s\n", run.c_str());
    clock.poll({}, std::min(clock.now() + kPoll, end));
  }
}

}  // namespace

std::optional<StatusPause> find_pause(const PauseConfig& config, WallSeconds now) {
  // Ours first: it says more.
  if (auto pause = find_state(config.state, now)) return pause;
  return find_flag(config.flag);
}

std::string pause_words(const StatusPause& pause) {
  std::string words = "since " + show_time(pause.since) + " by " + escape(pause.by);
  if (!pause.reason.empty()) words += ": " + escape(pause.reason);
  if (pause.until) words += "; until " + show_time(*pause.until);
  return words;
}

WallSeconds parse_until(std::string_view text, WallSeconds now) {
  if (const auto span = parse_span(text)) return now + *span;
  const std::string whole(text);
  std::optional<WallSeconds> at = parse_clock_time(whole, now);
  for (const char* format :
       {"%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"}) {
    if (!at) at = parse_moment(whole, format);
  }
  if (!at) {
    throw Error(Fault::Usage,
                "--until " + quote(text) + ": write 30m, 2h, 1d, 16:00 or \"2026-11-21 16:00\"");
  }
  if (*at <= now) throw Error(Fault::Usage, "--until " + quote(text) + " is over already");
  return *at;
}

std::string encode_pause(const StatusPause& pause) {
  std::string text = "[pause]\nby = " + escape(pause.by) + "\nreason = " + escape(pause.reason) +
                     "\nsince = " + std::to_string(pause.since) + "\n";
  if (pause.until) text += "until = " + std::to_string(*pause.until) + "\n";
  return text;
}

StatusPause decode_pause(std::string_view text, const std::string& file) {
  const Ini ini = Ini::parse(text, file);
  StatusPause pause;
  pause.by = word_of(ini, "by");
  pause.reason = word_of(ini, "reason");
  pause.since = number_of(ini, "since").value_or(0);
  pause.until = number_of(ini, "until");
  if (pause.by.empty()) throw Error(Fault::Usage, quote(file) + " does not say who paused");
  return pause;
}

StatusRunning find_running(const std::string& destination) {
  StatusRunning running;
  const auto run = Lock::at_work(destination);
  running.known = true;
  if (run) running.process = run->process;
  if (run) running.since = run->since;
  return running;
}

std::string running_words(const StatusRunning& running) {
  const std::uint64_t process = running.process.value_or(0);
  return (process == 0 ? std::string("a run") : "the run of process " + std::to_string(process)) +
         ", at work since " + show_time(running.since);
}

int run_pause(const Config& config, Clock& clock) {
  const WallSeconds now = std::time(nullptr);
  StatusPause pause;
  pause.by = caller();
  pause.reason = config.pause.reason;
  pause.since = now;
  if (!config.pause.until.empty()) pause.until = parse_until(config.pause.until, now);
  replace_file(config.pause.state, encode_pause(pause), 0644);
  std::printf("paused %s\nresume with: xroad-sync resume\n", pause_words(pause).c_str());
  std::fflush(stdout);
  wait_for_run(config, clock);
  return 0;
}

int run_resume(const Config& config, Clock&) {
  bool any = false;
  for (const std::string& file : {config.pause.state, config.pause.flag}) {
    if (config.pause.keep_flag && file == config.pause.flag) continue;
    if (!remove_if_there(file)) continue;
    std::printf("removed %s\n", escape(file).c_str());
    any = true;
  }
  std::printf("%s\n", any ? "resumed: the timer's next run syncs; to do it now: xroad-sync"
                          : "it was not paused");
  return 0;
}

}  // namespace xs::cli
