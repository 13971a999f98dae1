// SPDX-License-Identifier: MIT
// Config: everything that the verbs need to know, checked, with every default filled in and the
// origin of each value. Made once by load_config() (load_config.h) from, weakest first: what is
// built in, the ini files, the environment, the command line. A value; no verb asks the environment
// or a file for a setting again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/limits.h"
#include "protocol/messages.h"
#include "sync/filter.h"
#include "sync/generations.h"
#include "sync/report/numbers.h"
#include "sync/transfer.h"
#include "sync/xroad/preset.h"

namespace xs::cli {

struct Setting;

enum class Verb : std::uint8_t {
  Pull,
  Status,
  Diff,
  Verify,
  Pause,
  Resume,
  Generations,
  Rollback,
  Trust,
  Authorize,
  Probe,
  Doctor,
  ConfigShow,
  Completion,
};

struct PrimaryConfig {
  std::string host;                      // empty: not configured (require_source())
  std::string user;                      // empty: the name that we run under
  std::uint16_t port = 0;                // 0: ssh's own
  std::string path;                      // of the tree there, without a trailing slash
  std::vector<std::string> identity;     // private key files; empty: those of ~/.ssh and the agent
  std::vector<std::string> known_hosts;  // empty: /etc/xroad-sync/known_hosts, then the user's own
  std::string remote_shell = "ssh";      // as -e says it
  std::string program = "xroad-sync-server";
  bool ssh_config = false;  // let our own client read ssh_config
  bool ipv4_only = false;
  bool ipv6_only = false;
};

enum class Color : std::uint8_t { Auto, Always, Never };

struct OutputConfig {
  unsigned verbosity = 0;  // how many -v
  bool quiet = false;
  unsigned itemize = 0;  // how many -i
  Human human = Human::Grouped;
  std::string out_format;  // empty: by -i and -v, as rsync
  bool json = false;       // NDJSON events on stdout
  bool stats = false;
  bool progress = false;   // --progress
  bool progress2 = false;  // --info=progress2: one line for the whole run
  Color color = Color::Auto;
  bool detailed_exitcode = false;  // 100: done, and something changed (with -n: would)
};

struct LogSettings {
  std::string file;            // empty: none
  std::string format;          // empty: rsync's own, "%i %n%L"
  bool journal = false;        // the setting `auto` is resolved
  std::string level = "info";  // error, warning, info, debug
};

struct PauseConfig {
  std::string flag;   // the guide's: its presence pauses
  std::string state;  // ours: who, why, until
  bool fail_if_paused = false;
  bool ignore = false;                     // --ignore-pause
  std::string reason;                      // of the verb pause
  std::string until;                       // as it was written; empty: until resumed
  std::chrono::milliseconds wait{60'000};  // of the verb pause, for a run that is at work
  bool keep_flag = false;                  // of the verb resume
};

struct GuardConfig {
  bool check_role = true;            // node.ini must say that we are a secondary
  std::string node_ini;              // ours; empty: there is none to ask
  bool allow_empty = false;          // an empty source, or one without the required files
  bool allow_deletes = false;        // however many
  unsigned max_delete_percent = 30;  // both must be exceeded
  std::uint64_t max_delete_files = 10;
  std::vector<std::string> required;  // that the source must have if we have them
};

struct WakeConfig {
  std::string action = "signer";  // signer, command, signal, reload, none
  std::string command;            // absolute program and its words, divided by blanks; no shell
  std::string unit;               // signal, reload: a systemd unit
  std::string pid_file;           // signal: instead of a unit
  std::string signal = "HUP";
  std::string hooks = "/etc/xroad-sync/hooks.d";
  std::chrono::milliseconds hooks_timeout{30'000};
};

struct ReportConfig {
  std::string status_file;
  std::string metrics_file;  // empty: none
};

struct RetryConfig {
  unsigned retries = 3;                         // after the first attempt
  std::chrono::milliseconds delay{500};         // before the first retry; doubles, with jitter
  std::chrono::milliseconds boot_delay{5'000};  // at boot: for each step to the first answer
};

// What only one verb asks for.
struct VerbConfig {
  bool check = false;                        // status --check: Nagios
  std::uint64_t rollback = 0;                // generation; 0: the newest
  std::string target;                        // trust HOST, probe [USER@]HOST
  std::string fingerprint;                   // trust
  bool replace = false;                      // trust
  std::string key_file;                      // authorize
  std::string server;                        // authorize: the program that the key may run
  bool install = false;                      // authorize: write the line instead of printing it
  std::string account;                       // authorize --install: whose authorized_keys
  std::string authorized_file;               // authorize --install: instead of that
  std::size_t bytes = std::size_t{1} << 20;  // probe
  bool origin = false;                       // config show
  std::string shell;                         // completion: bash, zsh, fish
};

// One effective setting, as `config show` prints it. A list has one for each of its values.
struct EffectiveValue {
  const Setting* setting;
  std::string text;    // as an ini file would say it
  std::string origin;  // "built-in", "FILE:LINE", "environment NAME", "command line --option"
};

struct Config {
  Verb verb = Verb::Pull;
  PrimaryConfig primary;
  std::string destination;  // absolute or relative to the working directory, without trailing slash
  const Preset* preset = nullptr;  // never null once loaded
  bool source_on_command_line = false;

  // What is copied, and how.
  Options options;             // keep and scan; compare holds unless choose_compare
  bool choose_compare = true;  // by the size of our tree
  FilterList filters;          // strongest first: command line, environment, ini files, preset
  TransferRules transfer;
  bool remove = false;  // delete what the source does not have
  bool dry_run = false;
  bool mkpath = false;
  bool compress = true;
  std::uint64_t bwlimit = 0;  // bytes a second; 0: none
  std::size_t max_entries = 1'000'000;
  KeepPolicy keep;

  Deadlines deadlines;  // total is that of the whole run, retries included
  RetryConfig retry;
  GuardConfig guard;
  WakeConfig wake;
  PauseConfig pause;
  ReportConfig report;
  LogSettings log;
  OutputConfig output;
  VerbConfig verb_options;

  std::vector<EffectiveValue> values;  // in the order of the table; filter rules in their own
  std::vector<std::string> notes;      // what was accepted without effect, for -v
};

std::string_view verb_name(Verb verb);

}  // namespace xs::cli
