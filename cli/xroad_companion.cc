// SPDX-License-Identifier: MIT
// The companion's main: from the command line to a verb.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/companion_replication.h"
#include "cli/companion_upgrade.h"
#include "cli/companion_verbs.h"
#include "cli/companion_words.h"
#include "cli/exit.h"

namespace {

using namespace xs;

struct Line {
  ConfigPlaces places;
  bool debug = false, json = false, monitor = false;
  cli::MaintenanceOrder order;
  long long lasts = 0;
  std::string shell;  // of completion
  std::string root;   // of doctor
};

// A daemon speaks to the journal where it has one: that never blocks.
void start_log(bool debug, bool daemon) {
  LogConfig log;
  log.identifier = "xroad-companion";
  log.level = debug ? spdlog::level::debug : daemon ? spdlog::level::info : spdlog::level::off;
  log.to_journal = daemon && std::getenv("JOURNAL_STREAM") != nullptr;
  log.to_stderr = !log.to_journal;
  try {
    install_logger(log);
  } catch (const Error&) {
    log.to_journal = false;
    log.to_stderr = true;
    install_logger(log);
  }
}

void add_maintenance(CLI::App& app, Line& line) {
  CLI::App* verb = app.add_subcommand("maintenance", "Take this node out of work, or back in.");
  verb->require_subcommand(1);
  CLI::App* on = verb->add_subcommand("on", "The health port answers 503 from now on.");
  on->add_option("--reason", line.order.reason, "Shown by status and logged.");
  on->add_option("--for", line.lasts, "Seconds after which it ends by itself.")
      ->check(CLI::Range(1, 366 * 86'400));
  on->add_flag("--drain", line.order.drain,
               "Agents say 'drain', not 'maint': sessions may end by themselves.");
  verb->add_subcommand("off", "Back to work, as far as the checks pass.");
  verb->add_subcommand("status", "Whether it is on, since when and why.");
}

void add_verbs(CLI::App& app, Line& line) {
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("xroad-companion ") + XS_VERSION);
  app.add_option("--config", line.places.own, "Our settings.")->capture_default_str();
  app.add_option("--xroad", line.places.xroad, "X-Road's directory.")->capture_default_str();
  app.add_flag("--debug", line.debug, "Log more.");
  app.add_subcommand("serve", "Answer load balancers until SIGTERM.");
  CLI::App* check = app.add_subcommand(
      "check",
      "Ask every check once. Exit code: 0 can work, 1 maintenance, 2 cannot, 3 not known.");
  CLI::Option* json = check->add_flag("--json", line.json, "One JSON object.");
  check->add_flag("--check", line.monitor, "One line for a monitor.")->excludes(json);
  CLI::App* status = app.add_subcommand("status", "Can this node work, and if not, why?");
  status->add_flag("--json", line.json, "One JSON object.");
  app.add_subcommand("example", "Print companion.ini with every key.");
  CLI::App* doctor = app.add_subcommand(
      "doctor", "The cluster guide as a checklist of this node, with what mends it.");
  doctor->add_flag("--json", line.json, "One JSON object.");
  doctor->add_option("--root", line.root, "Look at the system that is mounted there.");
  add_maintenance(app, line);
  cli::add_companion_words(app, line.shell);
}

int run_maintenance(const CLI::App& verb, Line& line, Clock& clock) {
  const NodeSettings settings = load_node_settings(line.places);
  if (verb.got_subcommand("status")) return cli::companion_show_maintenance(settings, clock);
  line.order.on = verb.got_subcommand("on");
  if (line.lasts > 0) line.order.lasts = std::chrono::seconds(line.lasts);
  return cli::companion_set_maintenance(settings, line.order, clock);
}

int run_verb(const CLI::App& app, Line& line) {
  SteadyClock clock;
  const bool daemon = app.got_subcommand("serve");
  start_log(line.debug, daemon);
  if (app.got_subcommand("check")) {
    const auto format = line.json      ? cli::CheckFormat::Json
                        : line.monitor ? cli::CheckFormat::Monitor
                                       : cli::CheckFormat::Table;
    return cli::companion_check(line.places, format, clock);
  }
  if (app.got_subcommand("doctor")) {
    return cli::companion_doctor({line.places, line.root, line.json}, clock);
  }
  if (app.got_subcommand("example")) {
    std::fputs(example_ini().c_str(), stdout);
    return 0;
  }
  if (const auto text = cli::companion_words(app, line.shell)) {
    std::fputs(text->c_str(), stdout);
    return 0;
  }
  if (app.got_subcommand("maintenance")) {
    return run_maintenance(*app.get_subcommand("maintenance"), line, clock);
  }
  const NodeSettings settings = load_node_settings(line.places);
  return daemon ? cli::companion_serve(settings, clock)
                : cli::companion_status(settings, line.json, clock);
}

// A monitor reads one line of stdout and the exit code, also where its own words are wrong: 1 would
// be a warning.
int refuse_words(const std::vector<std::string>& words, const std::string& why) {
  const std::string text = escape(why) + " (see xroad-companion --help)";
  if (std::find(words.begin(), words.end(), "--check") == words.end()) {
    throw Error(Fault::Usage, text);
  }
  constexpr int kUnknown = 3;
  const bool of_replication = std::find(words.begin(), words.end(), "replication") != words.end();
  std::printf("%s UNKNOWN - %s\n", of_replication ? "REPLICATION" : "XROAD", text.c_str());
  return kUnknown;
}

int run(int argc, char** argv) {
  CLI::App app("Health and maintenance of an X-Road cluster node", "xroad-companion");
  Line line;
  add_verbs(app, line);
  const cli::ReplicationVerbs replication(app);
  const cli::UpgradeVerbs upgrade(app);
  app.footer(cli::exit_code_help());
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // help and version
    return app.exit(wanted);
  } catch (const CLI::ParseError& error) {
    return refuse_words({argv + 1, argv + argc}, error.what());
  }
  line.places.own_must_exist = app.count("--config") > 0;
  if (replication.wanted() || upgrade.wanted()) {
    SteadyClock clock;
    start_log(line.debug, false);
    const cli::ReplicationCall call{line.places, clock};
    return upgrade.wanted() ? upgrade.run(call) : replication.run(call);
  }
  return run_verb(app, line);
}

}  // namespace

int main(int argc, char** argv) {
  return xs::cli::run_main("xroad-companion", [&] { return run(argc, argv); });
}
