// SPDX-License-Identifier: MIT
// `xroad-companion replication promote` and `rejoin`.
#include <cstdio>

#include "base/error.h"
#include "cli/companion_replication_verbs.h"
#include "cli/companion_setup.h"
#include "companion/replication/connection.h"
#include "companion/replication/promote.h"
#include "companion/replication/rejoin.h"

namespace xs::cli {
namespace {

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// Everybody who can list processes would see it.
void refuse_password(const std::string& primary) {
  if (primary.empty() || !holds_password(parse_conninfo(primary, "--primary"))) return;
  throw Error(
      Fault::Usage,
      "--primary must not hold a password (nor sslpassword): name a file with passfile=..., "
      "and use a key without one");
}

int run_promote(const ReplicationCall& call, PromoteOrder order, ClusterChoice cluster,
                int timeout) {
  cluster.fill_from(load_node_settings(call.places).cluster);
  order.cluster = std::move(cluster);
  refuse_password(order.primary);
  order.limit = std::chrono::seconds(timeout);
  order.again = own_command();
  promote(order, call.clock, &print);
  return 0;
}

int run_rejoin(const ReplicationCall& call, RejoinOrder order, ClusterChoice cluster, int timeout) {
  cluster.fill_from(load_node_settings(call.places).cluster);
  order.cluster = std::move(cluster);
  refuse_password(order.primary);
  order.stream_limit = std::chrono::seconds(timeout);
  order.again = own_command();
  rejoin(order, call.clock, &wall_now, &print);
  return 0;
}

}  // namespace

ReplicationVerb add_replication_promote(CLI::App& group) {
  CLI::App* app = group.add_subcommand(
      "promote",
      "Make this standby the primary. Refuses while the old primary may be alive. Exit code: 0 it "
      "takes writes (also when it did before), 25 the old primary may be alive, 30 not in time, 11 "
      "this server does not run.");
  const auto order = std::make_shared<PromoteOrder>();
  const auto timeout = std::make_shared<int>(300);
  app->add_flag(
      "--fenced", order->fenced,
      "Promote though the old primary may be alive. You vouch that it is fenced: switched "
      "off, or cut off from every client, and that nothing (a reboot, systemd, a "
      "colleague) starts it again as it is. If that is not so, both take writes, and "
      "those of one of them are lost.");
  app->add_option("--primary", order->primary,
                  "The old primary: HOST[:PORT] or 'host=... port=... user=...'. "
                  "[primary_conninfo of this standby]");
  app->add_option("--timeout", *timeout, "Seconds for the promotion.")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app->add_flag("--dry-run", order->dry_run, "Ask all questions, print the plan, change nothing.");
  const auto cluster = add_cluster_options(*app);
  return {app, [=](const ReplicationCall& call) {
            return run_promote(call, *order, *cluster, *timeout);
          }};
}

ReplicationVerb add_replication_rejoin(CLI::App& group) {
  CLI::App* app = group.add_subcommand(
      "rejoin",
      "Make this node, an old primary or a standby of it, a standby of the new primary. What it "
      "committed and nobody else has is counted, and thrown away only with --discard. Exit code: "
      "0 it streams, 10 or 35 the new primary is not reached, 25 refused, 30 it does not stream in "
      "time, 40 another verb is at work, 42 a login is refused, 43 another cluster, 46 that is no "
      "primary.");
  const auto order = std::make_shared<RejoinOrder>();
  const auto timeout = std::make_shared<int>(120);
  app->add_option("--primary", order->primary,
                  "The new primary: HOST[:PORT] or 'host=... port=... user=...'. Silent about TLS: "
                  "verify-full, with this node's certificate. [primary_conninfo of this node]");
  app->add_option("--slot", order->slot, "Replication slot at the new primary. [the role's name]");
  app->add_option("--discard", order->discard,
                  "Throw away at most this many transactions that were committed on this node and "
                  "are nowhere else. Without it, or with more of them, it refuses and tells their "
                  "number. [0]");
  app->add_flag("--allow-reclone", order->allow_reclone,
                "Where its data can neither follow nor be rewound: take a fresh copy. The old data "
                "directory is moved aside, not removed.");
  app->add_option("--timeout", *timeout, "Seconds from the start until it streams.")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app->add_flag("--dry-run", order->dry_run, "Ask all questions, print the plan, change nothing.");
  const auto cluster = add_cluster_options(*app);
  return {app, [=](const ReplicationCall& call) {
            return run_rejoin(call, *order, *cluster, *timeout);
          }};
}

}  // namespace xs::cli
