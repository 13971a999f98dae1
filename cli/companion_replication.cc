// SPDX-License-Identifier: MIT
#include "cli/companion_replication.h"

#include <algorithm>

#include "base/error.h"
#include "cli/companion_replication_verbs.h"
#include "companion/replication/connection.h"

namespace xs::cli {
namespace {

using AddVerb = ReplicationVerb (*)(CLI::App& group);
// In the order of the help.
const std::vector<AddVerb> kVerbs = {
    &add_replication_status, &add_replication_pause, &add_replication_resume,
    &add_replication_wait,   &add_replication_setup, &add_replication_promote,
    &add_replication_rejoin,
};

}  // namespace

std::shared_ptr<ReplicationAccess> add_access_options(CLI::App& verb) {
  const auto access = std::make_shared<ReplicationAccess>();
  DbAccess& local = access->local;
  const auto add = [&verb](const char* name, std::string& value, const char* help) {
    return verb.add_option(name, value, help)->group("How to reach the database");
  };
  add("--host", local.host, "Host, or directory of the socket. [/var/run/postgresql]");
  verb.add_option("--port", local.port, "Port. [5433]")
      ->check(CLI::Range(1, 65535))
      ->group("How to reach the database");
  add("--user", local.user,
      "Role; on a socket, root connects as the account of that name. "
      "[postgres]");
  add("--database", local.database, "Database. [postgres]");
  add("--passfile", local.passfile, "Passwords, as in ~/.pgpass, readable by its owner alone.");
  add("--sslmode", local.sslmode, "As PostgreSQL's: disable ... verify-full.");
  add("--sslcert", local.sslcert, "Our certificate.");
  add("--sslkey", local.sslkey, "Its key.");
  add("--sslrootcert", local.sslrootcert, "The CA of the server's certificate.");
  add("--db-properties", access->db_properties,
      "Log in as X-Road does: take what is not given here from this db.properties.");
  add("--primary", access->primary,
      "The primary, at a standby: HOST[:PORT] or 'host=... port=... user=...'. [primary_conninfo "
      "of the standby]");
  return access;
}

NodeSettings settings_for(const ReplicationCall& call, ReplicationAccess& access) {
  NodeSettings settings = load_node_settings(call.places);
  access.fill_from(settings.replication_access);
  // It would be seen by everybody who can list processes, or read companion.ini.
  if (!access.primary.empty() &&
      holds_password(parse_conninfo(access.primary, "the primary's address"))) {
    throw Error(Fault::Usage,
                "the primary's address must not hold a password (nor sslpassword): name a file "
                "with passfile=...");
  }
  return settings;
}

ReplicationVerbs::ReplicationVerbs(CLI::App& app)
    : group_(app.add_subcommand("replication", "PostgreSQL's replication of serverconf.")) {
  group_->require_subcommand(1);
  for (const AddVerb add : kVerbs) verbs_.push_back(add(*group_));
}

bool ReplicationVerbs::wanted() const { return group_->parsed(); }

int ReplicationVerbs::run(const ReplicationCall& call) const {
  const auto verb = std::find_if(verbs_.begin(), verbs_.end(),
                                 [](const ReplicationVerb& one) { return one.app->parsed(); });
  if (verb == verbs_.end()) throw Error(Fault::Usage, "replication needs a verb");
  return verb->run(call);
}

}  // namespace xs::cli
