// SPDX-License-Identifier: MIT
// The client's main: the command line, and what each verb is handed.
#include <CLI/CLI.hpp>
#include <functional>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/authorize.h"
#include "cli/exit.h"
#include "cli/probe.h"
#include "cli/trust.h"

namespace {

using namespace xs;
using Verb = std::function<void(Clock&)>;

std::chrono::milliseconds seconds(unsigned count) { return std::chrono::seconds(count); }

// Everything that the command line can set, and what to do in the end.
struct CommandLine {
  cli::ProbeRequest probe;
  cli::TrustRequest trust;
  cli::AuthorizeRequest authorize;
  unsigned timeout = 10;
  unsigned connect_timeout = 5;
  Verb verb;

  Deadlines deadlines() const {
    Deadlines made;
    made.idle = made.first_byte = made.login = seconds(timeout);
    made.connect = seconds(connect_timeout);
    return made;
  }
};

void add_timeouts(CLI::App& app, CommandLine& line) {
  app.add_option("--timeout", line.timeout, "Give up after this many seconds of silence")
      ->check(CLI::Range(1, 86400));
  app.add_option("--contimeout", line.connect_timeout, "Give up connecting after this many seconds")
      ->check(CLI::Range(1, 3600));
}

void add_probe(CLI::App& app, CommandLine& line) {
  CLI::App* verb = app.add_subcommand(
      "probe", "Log in, shake hands, send bytes there and back; changes nothing");
  cli::ProbeRequest& request = line.probe;
  verb->add_option("primary", request.endpoint, "[user@]host")->required();
  verb->add_option("-e,--rsh", request.transport.remote_shell,
                   "The remote shell with its options; plain ssh is done by our own client");
  verb->add_flag("--ssh-config", request.transport.use_ssh_config,
                 "Let our own client read ~/.ssh/config and /etc/ssh/ssh_config");
  verb->add_option("--rsync-path", request.transport.remote_program,
                   "The program to run at the primary");
  verb->add_option("--bytes", request.bytes, "How many bytes to send there and back")
      ->check(CLI::Range(std::size_t{0}, std::size_t{1} << 30));
  add_timeouts(*verb, line);
  verb->callback([&line] {
    line.verb = [&line](Clock& clock) {
      line.probe.transport.deadlines = line.deadlines();
      cli::probe(line.probe, clock);
    };
  });
}

void add_trust(CLI::App& app, CommandLine& line) {
  CLI::App* verb =
      app.add_subcommand("trust", "Show the fingerprints of a host, ask, and remember its keys");
  cli::TrustRequest& request = line.trust;
  verb->add_option("host", request.target, "HOST or HOST:PORT")->required();
  verb->add_option("--known-hosts", request.file, "Where to write")->capture_default_str();
  verb->add_option("--fingerprint", request.fingerprint,
                   "SHA256:...: trust this key and no other, without asking");
  verb->add_flag("--replace", request.replace, "Forget what was known of this host");
  add_timeouts(*verb, line);
  verb->callback([&line] {
    line.verb = [&line](Clock& clock) {
      line.trust.deadlines = line.deadlines();
      cli::trust(line.trust, clock);
    };
  });
}

void add_authorize(CLI::App& app, CommandLine& line) {
  CLI::App* verb = app.add_subcommand(
      "authorize", "On the primary: let a secondary's key in, for nothing but xroad-sync-server");
  cli::AuthorizeRequest& request = line.authorize;
  verb->add_option("keyfile", request.key_file, "The secondary's public key (*.pub)")->required();
  verb->add_option("--server", request.server,
                   "What the key may run: a program, or \"PROGRAM --config FILE\"")
      ->capture_default_str();
  CLI::Option* install = verb->add_flag("--install", request.install,
                                        "Write the line instead of printing it; as root");
  CLI::Option* user =
      verb->add_option("--user", request.user, "The account whose authorized_keys is written")
          ->capture_default_str()
          ->needs(install);
  verb->add_option("--file", request.file, "The file to write, where sshd has another for it")
      ->needs(install)
      ->excludes(user);
  verb->callback([&line] { line.verb = [&line](Clock&) { cli::authorize(line.authorize); }; });
}

// CLI11 has exit codes of its own; ours are those of kFaults. False: the user only wanted to read
// something.
bool parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return true;
  } catch (const CLI::Success& wish) {  // --help, --version
    app.exit(wish);
    return false;
  } catch (const CLI::ParseError& error) {
    throw Error(Fault::Usage, std::string(error.what()) + " (xroad-sync --help)");
  }
}

int run(int argc, char** argv) {
  CLI::App app("Brings a secondary to exactly one state that its primary really had.",
               "xroad-sync");
  app.set_version_flag("--version", "xroad-sync " XS_VERSION);
  app.footer(cli::exit_code_help());
  app.require_subcommand(1);
  CommandLine line;
  add_probe(app, line);
  add_trust(app, line);
  add_authorize(app, line);
  if (!parse(app, argc, argv)) return 0;

  LogConfig log;
  log.level = spdlog::level::warn;
  install_logger(log);
  SteadyClock clock;
  line.verb(clock);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return xs::cli::run_main("xroad-sync", [&] { return run(argc, argv); });
}
