// SPDX-License-Identifier: MIT
// What is said, where, and in which form; and what only one verb asks for.
#include "base/error.h"
#include "cli/settings.h"

namespace xs::cli {
namespace {

constexpr Verbs kLogging = kTreeVerbs | bit(Verb::Rollback);
constexpr Verbs kReporting = kTreeVerbs | bit(Verb::Status) | bit(Verb::Generations) |
                             bit(Verb::Rollback) | bit(Verb::Pause) | bit(Verb::Resume);

Human human(std::int64_t level) {
  constexpr Human kLevels[] = {Human::Plain, Human::Grouped, Human::Thousands, Human::Binary};
  return kLevels[level < 0 ? 0 : level > 3 ? 3 : level];
}

// --info: the flags that change what we print; the others are refused by name.
void info(Draft& draft, const Value& value) {
  for (const std::string_view flag : split_words(value.text, ',')) {
    OutputConfig& output = draft.config.output;
    if (flag == "progress2")
      output.progress2 = true;
    else if (flag == "progress" || flag == "progress1")
      output.progress = true;
    else if (flag == "progress0" || flag == "none")
      output.progress = output.progress2 = false;
    else if (flag == "stats" || flag == "stats1" || flag == "stats2")
      output.stats = true;
    else if (flag == "stats0")
      output.stats = false;
    else
      throw Error(Fault::Unsupported, "this build knows progress, progress2 and stats only");
  }
}

std::vector<Setting> logging() {
  return {
      {"log", "file", "--log-file", "FILE", Kind::Path, "", "/var/log/xroad/xroad-sync.log",
       kLogging, "write what was done to this file",
       [](Draft& d, const Value& v) { d.config.log.file = v.text; },
       "In rsync's format, after the commit and never before it. Empty: none.", Repeat::Last, "",
       "", "Log and reports"},
      {"log", "format", "--log-file-format", "FORMAT", Kind::Text, "", "", kLogging,
       "how a change is written there",
       [](Draft& d, const Value& v) { d.config.log.format = v.text; },
       "rsync's escapes. Without one: %i %n%L."},
      {"log", "journal", "", "WHEN", Kind::Choice, "auto|yes|no", "auto", 0,
       "write to the systemd journal, with fields",
       [](Draft& d, const Value& v) { d.journal = v.text; }, "auto: when systemd started the run."},
      {"log", "level", "", "LEVEL", Kind::Choice, "error|warning|info|debug", "info", 0,
       "how much is logged", [](Draft& d, const Value& v) { d.config.log.level = v.text; }},
      {"status", "file", "--status-file", "FILE", Kind::Path, "absolute",
       "/var/lib/xroad-sync/status.json", kReporting, "where the outcome of the last run is kept",
       [](Draft& d, const Value& v) { d.config.report.status_file = v.text; }},
      {"status", "metrics-file", "--metrics-file", "FILE", Kind::Path, "absolute", "", kTreeVerbs,
       "write the numbers in Prometheus' text form to this file",
       [](Draft& d, const Value& v) { d.config.report.metrics_file = v.text; }},
  };
}

std::vector<Setting> output() {
  return {
      {"", "", "-v,--verbose", "", Kind::Count, "", "", kEveryVerb, "say more",
       [](Draft& d, const Value& v) {
         d.config.output.verbosity = static_cast<unsigned>(v.number);
       },
       "", Repeat::Last, "", kSameDefault, "Output"},
      {"", "", "-q,--quiet", "", Kind::Flag, "", "", kEveryVerb, "say nothing but errors",
       [](Draft& d, const Value& v) { d.config.output.quiet = v.flag; }},
      {"output", "itemize", "-i,--itemize-changes", "", Kind::Count, "0..2", "0", kTreeVerbs,
       "a line for every change; twice: for everything",
       [](Draft& d, const Value& v) { d.config.output.itemize = static_cast<unsigned>(v.number); }},
      {"", "", "--out-format", "FORMAT", Kind::Text, "", "", kTreeVerbs, "how that line is written",
       [](Draft& d, const Value& v) { d.config.output.out_format = v.text; }},
      {"", "", "-h,--human-readable", "", Kind::Count, "", "", kReporting,
       "numbers as 1.5M; twice: in units of 1024; alone: this help",
       [](Draft& d, const Value& v) {
         // Without -h numbers are grouped already; --no-h takes that away.
         d.config.output.human = human(v.number == 0 ? 0 : v.number + 1);
       }},
      {"", "", "--stats", "", Kind::Flag, "", "", kTreeVerbs, "rsync's table of numbers at the end",
       [](Draft& d, const Value& v) { d.config.output.stats = v.flag; }},
      {"", "", "--progress", "", Kind::Flag, "", "", kTreeVerbs, "show how far each file is",
       [](Draft& d, const Value& v) { d.config.output.progress = v.flag; }},
      {"", "", "-P", "", Kind::Flag, "", "", kTreeVerbs, "same as --partial --progress",
       [](Draft& d, const Value& v) { d.config.output.progress = v.flag; }},
      {"", "", "--info", "FLAGS", Kind::Text, "", "", kTreeVerbs,
       "progress2: one line for the whole run; also progress and stats", info},
      {"", "", "--json", "", Kind::Flag, "", "", bit(Verb::Pull) | bit(Verb::Status),
       "events, or the status, as JSON, one object a line",
       [](Draft& d, const Value& v) { d.config.output.json = v.flag; }},
      {"output", "color", "--color", "WHEN", Kind::Choice, "auto|always|never", "auto", kEveryVerb,
       "colours: auto, always or never",
       [](Draft& d, const Value& v) {
         d.config.output.color = v.text == "always"  ? Color::Always
                                 : v.text == "never" ? Color::Never
                                                     : Color::Auto;
       },
       "auto: on a terminal, unless NO_COLOR is set."},
      {"", "", "--detailed-exitcode", "", Kind::Flag, "", "", kTreeVerbs,
       "end with 100 instead of 0 when something changed, or would have",
       [](Draft& d, const Value& v) { d.config.output.detailed_exitcode = v.flag; }},
  };
}

}  // namespace

std::vector<Setting> output_settings() {
  std::vector<Setting> all = logging();
  for (Setting& setting : output()) all.push_back(setting);
  return all;
}

std::vector<Setting> verb_settings() {
  return {
      {"", "", "--check", "", Kind::Flag, "", "", bit(Verb::Status),
       "end with 0, 1, 2 or 3 as Nagios wants it",
       [](Draft& d, const Value& v) { d.config.verb_options.check = v.flag; }, "", Repeat::Last, "",
       kSameDefault, "Of one verb"},
      {"", "", "--reason", "TEXT", Kind::Text, "", "", bit(Verb::Pause), "why",
       [](Draft& d, const Value& v) { d.config.pause.reason = v.text; }},
      {"", "", "--until", "TIME", Kind::Text, "", "", bit(Verb::Pause),
       "when the pause ends by itself: 16:00, 2026-11-30T16:00, 90min, 2h or 1d",
       [](Draft& d, const Value& v) { d.config.pause.until = v.text; }},
      {"", "", "--wait", "SECONDS", Kind::Duration, "0..86400", "120", bit(Verb::Pause),
       "how long to wait for the end of a run that is at work",
       [](Draft& d, const Value& v) { d.config.pause.wait = std::chrono::milliseconds(v.number); },
       "It sees the pause before it changes anything, unless it has begun to. One that is still at "
       "work then is 40; the pause stands. 0: do not wait. What its hooks do is not waited for."},
      {"", "", "--keep-flag", "", Kind::Flag, "", "", bit(Verb::Resume),
       "end what pause began, and leave the cluster guide's flag",
       [](Draft& d, const Value& v) { d.config.pause.keep_flag = v.flag; }},
      {"", "", "--fingerprint", "SHA256:...", Kind::Text, "", "", bit(Verb::Trust),
       "trust this key and no other, without asking",
       [](Draft& d, const Value& v) { d.config.verb_options.fingerprint = v.text; }},
      {"", "", "--replace", "", Kind::Flag, "", "", bit(Verb::Trust),
       "forget what was known of this host",
       [](Draft& d, const Value& v) { d.config.verb_options.replace = v.flag; }},
      {"", "", "--server", "PROGRAM", Kind::Text, "", "/usr/bin/xroad-sync-server",
       bit(Verb::Authorize), "what the key may run: a program, or \"PROGRAM --config FILE\"",
       [](Draft& d, const Value& v) { d.config.verb_options.server = v.text; }},
      {"", "", "--install", "", Kind::Flag, "", "", bit(Verb::Authorize),
       "write the line instead of printing it; as root",
       [](Draft& d, const Value& v) { d.config.verb_options.install = v.flag; },
       "The file and its directory become root's, so that the account cannot let anybody else in."},
      {"", "", "--user", "USER", Kind::Text, "", "xroad-slave", bit(Verb::Authorize),
       "the account whose authorized_keys is written",
       [](Draft& d, const Value& v) { d.config.verb_options.account = v.text; }},
      {"", "", "--file", "FILE", Kind::Path, "", "", bit(Verb::Authorize),
       "the file to write, where sshd has another for it",
       [](Draft& d, const Value& v) { d.config.verb_options.authorized_file = v.text; }},
      {"", "", "--bytes", "SIZE", Kind::Size, "b", "1m", bit(Verb::Probe),
       "how many bytes to send there and back",
       [](Draft& d, const Value& v) {
         if (v.number > (std::int64_t{1} << 30)) throw Error(Fault::Usage, "at most 1GiB");
         d.config.verb_options.bytes = static_cast<std::size_t>(v.number);
       }},
      {"", "", "--origin", "", Kind::Flag, "", "", bit(Verb::ConfigShow),
       "say where each value comes from",
       [](Draft& d, const Value& v) { d.config.verb_options.origin = v.flag; }},
  };
}

}  // namespace xs::cli
