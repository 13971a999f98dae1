// SPDX-License-Identifier: MIT
// The client's main: from the command line to a Config, and to the verb.
#include <array>
#include <cstdio>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/exit.h"
#include "cli/load_config.h"
#include "cli/options.h"
#include "cli/verbs.h"

namespace {

using namespace xs;
using cli::Config;
using cli::Verb;

struct Action {
  Verb verb;
  int (*run)(const Config& config, Clock& clock);  // nullptr: not in this build
};

constexpr auto kActions = std::to_array<Action>({
    {Verb::Pull, nullptr},
    {Verb::Status, nullptr},
    {Verb::Diff, nullptr},
    {Verb::Verify, nullptr},
    {Verb::Pause, nullptr},
    {Verb::Resume, nullptr},
    {Verb::Generations, nullptr},
    {Verb::Rollback, nullptr},
    {Verb::Trust, cli::run_trust},
    {Verb::Authorize, cli::run_authorize},
    {Verb::Probe, cli::run_probe},
    {Verb::Doctor, nullptr},
    {Verb::ConfigShow, cli::run_config_show},
    {Verb::Completion, cli::run_completion},
});

int run(int argc, char** argv) {
  const cli::Words words = cli::read_command_line({argv + 1, argv + argc});
  if (words.help || words.version) {
    std::fputs((words.help ? cli::help_text(words.verb) : cli::version_text()).c_str(), stdout);
    return 0;
  }
  const Config config = cli::load_config(words, cli::process_environment());
  LogConfig log;
  log.level = spdlog::level::warn;
  install_logger(log);
  for (const Action& action : kActions) {
    if (action.verb != config.verb || action.run == nullptr) continue;
    SteadyClock clock;
    return action.run(config, clock);
  }
  throw Error(Fault::Unsupported,
              "the verb " + std::string(cli::verb_name(config.verb)) + " is not in this build");
}

}  // namespace

int main(int argc, char** argv) {
  return xs::cli::run_main("xroad-sync", [&] { return run(argc, argv); });
}
