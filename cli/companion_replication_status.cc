// SPDX-License-Identifier: MIT
// `xroad-companion replication status`.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cli/companion_replication.h"
#include "cli/companion_replication_verbs.h"
#include "companion/replication/connection.h"
#include "companion/replication/control.h"
#include "companion/replication/node_report.h"
#include "companion/tcp.h"
#include "companion/wall.h"

namespace xs::cli {
namespace {

struct Options {
  bool json = false, check = false, alone = false, no_database = false;
  std::vector<std::string> warn, crit;
  unsigned standbys = 0;
  int timeout = 10;
  std::vector<std::string> central_servers, fingerprints;
  std::string api_key_file, ca_file;
};

ReplicationLimits limits_of(const Options& options, const ReplicationSettings& settings) {
  ReplicationLimits limits;
  limits.warn = {settings.max_lag_bytes, static_cast<double>(settings.max_lag.count())};
  limits.silence = static_cast<double>(settings.max_silence.count());
  limits.standbys = options.standbys;
  for (const std::string& text : options.warn) add_limit(limits.warn, text);
  limits.raise_crit();
  for (const std::string& text : options.crit) add_limit(limits.crit, text);
  return limits;
}

PrimaryAnswer ask_primary(Db& db, const ReplicationAccess& access, Clock& clock, Instant deadline) {
  PrimaryAnswer answer;
  try {
    Primary primary(find_primary(db, access, deadline), clock, deadline);
    answer.where = primary.where();
    const Primary::Identity identity = primary.identify(deadline);
    answer.branch = {identity.timeline, primary.history(identity.timeline, deadline)};
    answer.position = identity.flushed;
    answer.system = identity.system;
    answer.standby = identity.standby;
  } catch (const Error& error) {
    answer.trouble = error.text();
  }
  return answer;
}

CentralChoice central_choice(const Options& options, const CentralChoice& settings) {
  CentralChoice choice;
  for (const std::string& text : options.central_servers) {
    choice.servers.push_back(parse_central_server(text));
  }
  for (const std::string& text : options.fingerprints) {
    choice.trust.fingerprints.push_back(parse_fingerprint(text));
  }
  choice.trust.ca_file = options.ca_file;
  choice.api_key_file = options.api_key_file;
  choice.fill_from(settings);
  return choice;
}

// A node of a Central Server often has its database elsewhere: then only one that somebody names is
// asked. Why none is, or nothing.
std::optional<std::string> why_no_database(const Options& options,
                                           const ReplicationAccess& access) {
  if (options.no_database) return "";
  if (!access.db_properties.empty() || access.local != DbAccess{}) return std::nullopt;
  const std::string socket =
      std::string(kSocketDirectory) + "/.s.PGSQL." + std::to_string(kServerconfPort);
  if (::access(socket.c_str(), F_OK) == 0) return std::nullopt;
  return "no database was asked: " + socket +
         " is not there; name one with --host and --port, or --db-properties";
}

DatabaseReport ask_database(const ReplicationCall& call, const ReplicationAccess& access,
                            const Options& options, const ReplicationLimits& limits,
                            Instant deadline) {
  const auto db = open_local(access, call.clock, deadline);
  const std::string user = local_target(access).user;
  // A judgement is worth a moment; who looks by hand sees what is.
  ReplicationStatus status = options.check ? read_settled(*db, user, call.clock, deadline)
                                           : read_replication(*db, user, deadline);
  if (status.standby && !options.alone) {
    // A primary that hangs must not take the answer with it.
    const Instant share = share_of(call.clock.now(), deadline, 2);
    status.primary = ask_primary(*db, access, call.clock, share);
  }
  const double enough = std::min(limits.warn.seconds.value_or(0), limits.crit.seconds.value_or(0));
  look_again(*db, status, enough, call.clock, deadline);
  ReplicationVerdict verdict = judge(status, limits);
  return {std::move(status), std::move(verdict)};
}

NodeReport ask(const ReplicationCall& call, const ReplicationAccess& access, const Options& options,
               const CentralChoice& central, const ReplicationLimits& limits) {
  const bool center = !central.servers.empty() || !central.api_key_file.empty();
  const Instant deadline = call.clock.now() + std::chrono::seconds(options.timeout);
  NodeReport report;
  const auto why_not = center ? why_no_database(options, access) : std::nullopt;
  if (why_not) {
    report.no_database = *why_not;
  } else {
    const std::size_t asks = center ? 1 + std::max<std::size_t>(central.servers.size(), 1) : 1;
    try {
      report.database =
          ask_database(call, access, options, limits, share_of(call.clock.now(), deadline, asks));
    } catch (const Error& error) {
      if (!center) throw;
      report.database_trouble = error;
    }
  }
  if (center) {
    report.central = ask_central_servers(central, call.clock, deadline);
    report.now = wall_now();
    report.central_verdict = judge_central(*report.central, report.now);
  }
  return report;
}

int show(const ReplicationCall& call, ReplicationAccess& access, const Options& options) {
  const NodeSettings settings = settings_for(call, access);
  const ReplicationLimits limits = limits_of(options, settings.replication);
  const CentralChoice central = central_choice(options, settings.central);
  if (options.no_database && central.servers.empty() && central.api_key_file.empty()) {
    throw Error(Fault::Usage,
                "without a database there is nothing to ask: name a Central Server with "
                "--central-server and --api-key-file");
  }
  const NodeReport report = ask(call, access, options, central, limits);
  if (const Error* trouble = report.only_trouble()) throw *trouble;
  const std::string text = options.check  ? report_line(report, limits)
                           : options.json ? report_json(report)
                                          : report_text(report);
  std::fputs(text.c_str(), stdout);
  return options.check ? static_cast<int>(report.health()) : report.exit_code();
}

void add_central_options(CLI::App& app, Options& options) {
  const char* const group = "A Central Server's nodes";
  app.add_option("--central-server", options.central_servers,
                 "HOST[:PORT] or https://HOST[:PORT] of its admin interface; may be given for each "
                 "node, and is then compared. [localhost:4000]")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(group);
  app.add_option(
         "--api-key-file", options.api_key_file,
         "A key of its REST API, on a line of its own; mode 0640 or less. With it the state "
         "of its nodes is read.")
      ->group(group);
  CLI::Option* pin =
      app.add_option("--fingerprint", options.fingerprints,
                     "SHA-256 of its certificate, which is then trusted as it is, whatever its "
                     "name and dates; may be given more than once.")
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
          ->group(group);
  app.add_option("--ca-file", options.ca_file,
                 "The CA of its certificate, in PEM form. [the CAs of this system]")
      ->excludes(pin)
      ->group(group);
  app.add_flag("--no-database", options.no_database, "Ask the Central Servers alone.")
      ->group(group);
}

}  // namespace

ReplicationVerb add_replication_status(CLI::App& group) {
  CLI::App* app = group.add_subcommand(
      "status",
      "What this node's database says about its replication, and with --api-key-file what a "
      "Central Server says about its nodes. With --check, exit code: 0 fine, 1 warning, 2 "
      "critical, 3 not known. Without, the worst of the Central Server's nodes: 0 OK, 1 WARN, 2 "
      "ERROR, 3 UNKNOWN; where the database does not answer, or no Central Server does, that of "
      "the trouble.");
  const auto options = std::make_shared<Options>();
  CLI::Option* json = app->add_flag("--json", options->json, "One JSON object.");
  app->add_flag("--check", options->check, "One line for a monitor.")->excludes(json);
  app->add_option("--warn-lag", options->warn,
                  "Warning beyond this size or time, such as 16MB or 60s; both may be given. "
                  "[max-lag-bytes, max-lag of companion.ini]");
  app->add_option("--crit-lag", options->crit,
                  "Critical beyond it. [256MB 600s, or the warning where it is more]");
  app->add_option("--standbys", options->standbys,
                  "Of a primary: fewer standbys than this are critical.");
  app->add_flag("--no-primary", options->alone, "At a standby: do not ask the primary.");
  app->add_option("--timeout", options->timeout, "Seconds for all questions.")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  const auto access = add_access_options(*app);
  add_central_options(*app, *options);
  return {app, [=](const ReplicationCall& call) {
            if (!options->check) return show(call, *access, *options);
            try {
              return show(call, *access, *options);
            } catch (const Error& error) {
              // A monitor reads one line of stdout.
              std::printf("REPLICATION UNKNOWN - %s\n", error.what());
              return static_cast<int>(Health::Unknown);
            }
          }};
}

}  // namespace xs::cli
