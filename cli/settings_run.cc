// SPDX-License-Identifier: MIT
// How a run goes: where to, the guards, the wake, the pause, what is kept.
#include "cli/settings.h"

namespace xs::cli {
namespace {

constexpr Verbs kPull = bit(Verb::Pull) | bit(Verb::ConfigShow);
constexpr Verbs kGuarded = kPull | bit(Verb::Diff) | bit(Verb::Doctor);
constexpr Verbs kPausing =
    kPull | bit(Verb::Status) | bit(Verb::Pause) | bit(Verb::Resume) | bit(Verb::Doctor);

std::vector<Setting> run() {
  return {
      {"sync", "destination", "", "PATH", Kind::Path, "absolute", "/etc/xroad", 0, "the tree here",
       [](Draft& d, const Value& v) { d.config.destination = v.text; }, "", Repeat::Last, "",
       kSameDefault, "The run"},
      {"", "", "-n,--dry-run", "", Kind::Flag, "", "", bit(Verb::Pull) | bit(Verb::ConfigShow),
       "show what would be done, and change nothing",
       [](Draft& d, const Value& v) { d.config.dry_run = v.flag; }},
      {"sync", "mkpath", "--mkpath", "", Kind::Flag, "", "no", kTreeVerbs,
       "make the destination with the directories that lead to it",
       [](Draft& d, const Value& v) { d.config.mkpath = v.flag; },
       "Without it only the last directory of the path is made."},
      {"limits", "entries", "", "NUMBER", Kind::Number, "1..100000000", "1000000", 0,
       "refuse a source with more names than this",
       [](Draft& d, const Value& v) { d.config.max_entries = static_cast<std::size_t>(v.number); }},
      {"keep", "generations", "--keep", "NUMBER", Kind::Number, "0..1000", "3", kPull,
       "how many earlier states to keep for rollback; 0: none",
       [](Draft& d, const Value& v) { d.config.keep.count = static_cast<std::size_t>(v.number); }},
      {"keep", "size", "", "SIZE", Kind::Size, "b", "256m", 0,
       "how large they may be together; the oldest go first",
       [](Draft& d, const Value& v) {
         d.config.keep.bytes = static_cast<std::uint64_t>(v.number);
       }},
      {"pause", "flag", "", "FILE", Kind::Path, "absolute", "/var/tmp/xroad/sync-disabled", 0,
       "the cluster guide's flag: while it exists, nothing is changed",
       [](Draft& d, const Value& v) { d.config.pause.flag = v.text; }},
      {"pause", "state", "", "FILE", Kind::Path, "absolute", "/var/lib/xroad-sync/paused", 0,
       "what pause writes: who, why and until when",
       [](Draft& d, const Value& v) { d.config.pause.state = v.text; }},
      {"pause", "fail-if-paused", "--fail-if-paused", "", Kind::Flag, "", "no", kPausing,
       "end with 45 while paused, instead of 0",
       [](Draft& d, const Value& v) { d.config.pause.fail_if_paused = v.flag; }},
      {"", "", "--ignore-pause", "", Kind::Flag, "", "", kPull,
       "run in spite of a pause; the log says so",
       [](Draft& d, const Value& v) { d.config.pause.ignore = v.flag; }},
  };
}

std::vector<Setting> guards() {
  return {
      {"guard", "check-role", "--check-role", "", Kind::Flag, "", "yes", kGuarded,
       "refuse to run unless node.ini says that this node is a secondary",
       [](Draft& d, const Value& v) { d.config.guard.check_role = v.flag; },
       "It keeps a primary from being overwritten by a stale copy of itself.", Repeat::Last, "",
       kSameDefault, "Guards"},
      {"guard", "node-ini", "", "FILE", Kind::Path, "absolute", "", 0, "the file with [node] type",
       [](Draft& d, const Value& v) { d.config.guard.node_ini = v.text; },
       "Without one it is the preset's: conf.d/node.ini below the destination."},
      {"guard", "required", "", "PATH", Kind::Text, "", "", 0,
       "a file that the source must have if this node has it",
       [](Draft& d, const Value& v) { d.config.guard.required.push_back(v.text); },
       "Below the root. Without one they are the preset's: signer/keyconf.xml.", Repeat::Replace},
      {"guard", "max-delete-percent", "", "PERCENT", Kind::Number, "0..100", "30", 0,
       "refuse to delete more of the files than this",
       [](Draft& d, const Value& v) {
         d.config.guard.max_delete_percent = static_cast<unsigned>(v.number);
       },
       "Both this and max-delete-files must be exceeded."},
      {"guard", "max-delete-files", "", "NUMBER", Kind::Number, "0..1000000000", "10", 0,
       "as many may always go",
       [](Draft& d, const Value& v) {
         d.config.guard.max_delete_files = static_cast<std::uint64_t>(v.number);
       }},
      {"", "", "--allow-deletes", "", Kind::Flag, "", "", kGuarded,
       "delete however many the source does not have",
       [](Draft& d, const Value& v) { d.config.guard.allow_deletes = v.flag; },
       "Not beyond --max-delete."},
      {"", "", "--allow-empty", "", Kind::Flag, "", "", kGuarded,
       "follow a source that is empty, or lacks a required file",
       [](Draft& d, const Value& v) { d.config.guard.allow_empty = v.flag; }},
      {"wake", "action", "--wake", "ACTION", Kind::Choice,
       "preset|signer|command|signal|reload|none", "preset", kPull,
       "how services learn of a change",
       [](Draft& d, const Value& v) { d.config.wake.action = v.text; },
       "signer: by the event on keyconf.xml for which X-Road's signer waits. command: run a "
       "program. signal: to the unit's main process, or to the process in a pid file. reload: of "
       "the unit. preset: signer for xroad, else none.",
       Repeat::Last, "", kSameDefault, "After the commit"},
      {"wake", "command", "", "COMMAND", Kind::Path, "absolute", "", 0,
       "the program to run, and its words divided by blanks; no shell",
       [](Draft& d, const Value& v) { d.config.wake.command = v.text; }},
      {"wake", "unit", "", "UNIT", Kind::Text, "", "", 0, "the systemd unit for signal and reload",
       [](Draft& d, const Value& v) { d.config.wake.unit = v.text; },
       "SIGHUP kills xroad-signer, so it is refused for that unit."},
      {"wake", "pid-file", "", "FILE", Kind::Path, "absolute", "", 0,
       "signal: the process, instead of a unit",
       [](Draft& d, const Value& v) { d.config.wake.pid_file = v.text; }},
      {"wake", "signal", "", "NAME", Kind::Choice, "HUP|USR1|USR2|WINCH", "HUP", 0, "signal: which",
       [](Draft& d, const Value& v) { d.config.wake.signal = v.text; }},
      {"wake", "hooks", "", "DIR", Kind::Path, "absolute", "/etc/xroad-sync/hooks.d", 0,
       "programs to run after a commit, with the list of changed paths",
       [](Draft& d, const Value& v) { d.config.wake.hooks = v.text; },
       "One that fails ends the run with 44; the commit stands. Empty: none."},
      {"wake", "hooks-timeout", "", "SECONDS", Kind::Duration, "1..3600", "30", 0,
       "how long they may take, all of them together",
       [](Draft& d, const Value& v) {
         d.config.wake.hooks_timeout = std::chrono::milliseconds(v.number);
       }},
  };
}

}  // namespace

std::vector<Setting> run_settings() {
  std::vector<Setting> all = run();
  for (Setting& setting : guards()) all.push_back(setting);
  return all;
}

}  // namespace xs::cli
