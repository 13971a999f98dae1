// SPDX-License-Identifier: MIT
// The client's main: from the command line to a Config, and to the verb.
#include <algorithm>
#include <array>
#include <cassert>
#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/exit.h"
#include "cli/interrupt.h"
#include "cli/load_config.h"
#include "cli/options.h"
#include "cli/owner.h"
#include "cli/verbs.h"

namespace {

using namespace xs;
using cli::Config;
using cli::Verb;

struct Action {
  Verb verb;
  int (*run)(const Config& config, Clock& clock);
};

constexpr auto kActions = std::to_array<Action>({
    {Verb::Pull, cli::run_pull},
    {Verb::Status, cli::run_status},
    {Verb::Diff, cli::run_diff},
    {Verb::Verify, cli::run_verify},
    {Verb::Pause, cli::run_pause},
    {Verb::Resume, cli::run_resume},
    {Verb::Generations, cli::run_generations},
    {Verb::Rollback, cli::run_rollback},
    {Verb::Trust, cli::run_trust},
    {Verb::Authorize, cli::run_authorize},
    {Verb::Probe, cli::run_probe},
    {Verb::Doctor, cli::run_doctor},
    {Verb::ConfigShow, cli::run_config_show},
    {Verb::Completion, cli::run_completion},
});

// What is said beside a verb's own output. Under systemd stderr is the journal already; there our
// own connection to it, which has fields, takes its place.
LogConfig log_of(const Config& config) {
  LogConfig log;
  const std::string& level = config.log.level;
  log.level = config.output.quiet  ? spdlog::level::err
              : level == "error"   ? spdlog::level::err
              : level == "warning" ? spdlog::level::warn
              : level == "debug"   ? spdlog::level::debug
                                   : spdlog::level::info;
  log.to_journal = config.log.journal;
  log.to_stderr = !config.log.journal;
  return log;
}

int run(int argc, char** argv) {
  const cli::Words words = cli::read_command_line({argv + 1, argv + argc});
  if (words.help || words.version) {
    std::fputs((words.help ? cli::help_text(words.verb) : cli::version_text()).c_str(), stdout);
    return 0;
  }
  const Config config = cli::load_config(words, cli::process_environment());
  install_logger(log_of(config));
  cli::become_owner(config);
  const auto action = std::find_if(kActions.begin(), kActions.end(),
                                   [&](const Action& one) { return one.verb == config.verb; });
  assert(action != kActions.end());
  cli::InterruptibleClock clock;
  return action->run(config, clock);
}

// `status --check`: a monitor reads one line of stdout and the exit code, also where its own words
// are wrong: 1 would be a warning.
bool asks_for_monitor(const std::vector<std::string>& words) {
  const auto has = [&](const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  return has("status") && has("--check");
}

}  // namespace

int main(int argc, char** argv) {
  return xs::cli::run_main("xroad-sync", [&] {
    try {
      return run(argc, argv);
    } catch (const Error& error) {
      if (!asks_for_monitor({argv + 1, argv + argc})) throw;
      std::printf("XROAD_SYNC UNKNOWN - %s\n", escape_again(error.text()).c_str());
      return 3;
    }
  });
}
