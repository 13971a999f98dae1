// SPDX-License-Identifier: MIT
#include "companion/replication/setup_primary.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/replication/bundle.h"
#include "companion/replication/cluster_lock.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/local_sql.h"
#include "companion/replication/marked_block.h"
#include "companion/replication/owned_file.h"
#include "companion/replication/primary_before.h"
#include "companion/replication/primary_roles.h"
#include "companion/replication/primary_steps.h"
#include "companion/replication/scram.h"
#include "companion/replication/served_certificate.h"

namespace xs {
namespace {

std::vector<std::string> names_of(const std::vector<NodeSpec>& standbys) {
  std::vector<std::string> names;
  names.reserve(standbys.size());
  for (const NodeSpec& standby : standbys) names.push_back(standby.name);
  return names;
}

void check_words(const PrimarySetup& setup) {
  check_node_name(setup.name);
  if (setup.hosts.empty()) {
    throw Error(Fault::Usage, "say how standbys reach this node: --host NAME");
  }
  for (const NodeSpec& standby : setup.standbys) {
    check_node_name(standby.name);
    if (standby.name == setup.name || standby.name == setup.plan.group) {
      throw Error(Fault::Usage, quote(standby.name) + " is the name of " +
                                    (standby.name == setup.name ? "this node" : "the group"));
    }
  }
  check_node_name(setup.plan.group);
  for (const std::string& address : setup.plan.allow) {
    constexpr std::string_view kAddress =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/-_";
    if (address.empty() || address.find_first_not_of(kAddress) != std::string::npos) {
      throw Error(Fault::Usage, quote(address) + " is no address for pg_hba.conf");
    }
  }
  const auto number =
      setup.plan.wal_limit.substr(0, setup.plan.wal_limit.find_first_not_of("0123456789"));
  const std::string unit = setup.plan.wal_limit.substr(number.size());
  if (!parse_number(number) || (unit != "MB" && unit != "GB")) {
    throw Error(Fault::Usage,
                quote(setup.plan.wal_limit) + " is no amount of log: say 4GB or 512MB");
  }
  const PkiPaths& given = setup.given;
  if (given.ca.empty() != given.certificate.empty() || given.ca.empty() != given.key.empty()) {
    throw Error(Fault::Usage, "--ca, --cert and --key are given together or not at all");
  }
  for (const std::string& name : setup.drop) {
    const auto named = [&](const NodeSpec& standby) { return standby.name == name; };
    if (std::any_of(setup.standbys.begin(), setup.standbys.end(), named)) {
      throw Error(Fault::Usage, quote(name) + " is named by --standby and by --drop");
    }
  }
}

void check_login(const PrimarySetup& setup) {
  if (setup.plan.login != Login::Password || !setup.password_file.empty()) return;
  if (setup.standbys.empty()) return;
  throw Error(Fault::Usage, "this profile logs in with a password: give --password-file");
}

// The server is the one of these directories, and one that may have standbys.
void check_server(const LocalSql& sql, const Cluster& cluster) {
  if (!find_server(cluster)) {
    throw Error(Fault::Network,
                "the server of " + quote(cluster.data) +
                    " does not run; start it: " + command_text(cluster, start_command(cluster)));
  }
  const auto rows = sql.ask(
      "select current_setting('data_directory'), current_setting('config_file'), "
      "current_setting('hba_file'), pg_is_in_recovery()::text, "
      "(select rolsuper::text from pg_roles where rolname = current_user)");
  const auto is = [&](std::size_t i) { return rows.at(0).at(i).value_or(""); };
  // The server says them as it was told; ours are without links.
  const auto same = [](const std::string& one, const std::string& other) {
    std::error_code error;
    return one == other || (std::filesystem::equivalent(one, other, error) && !error);
  };
  if (!same(is(0), cluster.data)) {
    throw Error(Fault::Usage, "the server on port " + std::to_string(cluster.port) + " works in " +
                                  quote(is(0)) + ", not in " + quote(cluster.data) +
                                  "; see --data and --port");
  }
  if (!same(is(1), cluster.conf_file()) || !same(is(2), cluster.hba_file())) {
    throw Error(Fault::Usage, "the server reads " + quote(is(1)) + " and " + quote(is(2)) +
                                  ", not " + quote(cluster.conf_file()) + " and " +
                                  quote(cluster.hba_file()) + "; see --config");
  }
  if (is(3) != "false") {
    throw Error(Fault::Role, "this database is a standby: set up its primary, or promote it first");
  }
  if (is(4) != "true") {
    throw Error(Fault::Auth, quote(cluster.owner) + " is not a superuser of this database");
  }
}

void check_given(const PrimarySetup& setup, const PkiPlace& place) {
  check_loadable(setup.given, place.cluster);
  const CertFiles files = place.load(setup.given);
  for (const std::string& host : setup.hosts) {
    check_certificate(files, CertUse::Server, host, place.wall());
  }
}

NodePlan node_plan(const NodeSpec& spec, int days) {
  return {spec.name, spec.hosts.empty() ? std::vector<std::string>{spec.name} : spec.hosts, days};
}

void add_certificates(WorkPlan& plan, const PrimarySetup& setup, const PkiPlace& place) {
  plan.add(directory_step(setup.pki, 0755, place.cluster));
  if (!setup.given.ca.empty()) return;
  const NodePlan own = node_plan({setup.name, setup.hosts}, setup.node_days);
  check_pki(place, setup.pki, own);
  if (read_owned(place.paths().certificate, place.cluster)) {
    check_loadable(place.paths(), place.cluster);
  }
  plan.add(ca_step(place, "replication of " + setup.name, setup.ca_days));
  plan.add(certificate_step(place, setup.pki, own));
}

void add_bundle(WorkPlan& plan, const PrimarySetup& setup, const PkiPlace& place,
                const NodeSpec& standby, const LocalSql& sql) {
  const std::string directory = place.bundle(standby.name);
  const std::string ca_file = setup.given.ca.empty() ? place.paths().ca : setup.given.ca;
  Bundle bundle;
  bundle.standby.profile = setup.plan.profile;
  bundle.standby.login = setup.plan.login;
  bundle.standby.name = standby.name;
  bundle.standby.slot = slot_name(standby.name);
  bundle.standby.host = setup.hosts.front();
  bundle.standby.port = place.cluster.port;
  bundle.system_id = sql.value("select system_identifier::text from pg_control_system()");
  plan.add(directory_step(directory, 0700, place.cluster));
  if (setup.given.ca.empty()) {
    const NodePlan node = node_plan(standby, setup.node_days);
    check_pki(place, directory, node);
    plan.add(certificate_step(place, directory, node));
  }
  if (setup.plan.login == Login::Password) {
    plan.add(file_step(directory + "/password", read_password(setup.password_file) + "\n", 0600,
                       true, place.cluster));
  }
  plan.add(copy_step(ca_file, directory + "/ca.crt", 0644, place.cluster));
  plan.add(file_step(directory + "/standby.ini", bundle_ini(bundle), 0600, false, place.cluster));
  plan.note("Standby " + standby.name + ": carry " + escape(directory) +
            " there, over a safe way (it holds a secret), for example\n  tar -C " +
            shell_words({place.directory + "/bundles"}) + " -cf - " + standby.name +
            " | ssh root@" + (standby.hosts.empty() ? standby.name : standby.hosts.front()) +
            " tar -C /root -xf -\nthen on it: xroad-companion replication setup standby --bundle "
            "/root/" +
            standby.name);
}

void add_notes(WorkPlan& plan, const PrimarySetup& setup, const Cluster& cluster) {
  const std::string shadowed = shadowed_lines(cluster, setup.plan.group);
  if (!shadowed.empty()) plan.note(shadowed);
  if (!setup.standbys.empty()) {
    plan.note("The bundles stay here, with the standbys' keys. When a standby is set up: rm -r " +
              shell_words({setup.pki + "/bundles"}) + "/NAME");
    const std::string warning = slot_warning(cluster.major);
    if (!warning.empty()) plan.note(warning);
  }
  if (setup.plan.profile != Profile::Synchronous) return;
  plan.note(
      "WARNING: with this profile a write waits until every standby that is waited for has it. "
      "When any of them is gone,\nWRITES STOP (reads go on) until it is back, or until `setup "
      "primary --drop NAME` takes it out.");
}

}  // namespace

NodeSpec parse_node_spec(const std::string& words) {
  NodeSpec spec;
  const std::size_t equals = words.find('=');
  spec.name = words.substr(0, equals);
  check_node_name(spec.name);
  if (equals == std::string::npos) return spec;
  std::string_view rest = std::string_view(words).substr(equals + 1);
  for (;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view host = trim(rest.substr(0, comma));
    if (host.empty()) throw Error(Fault::Usage, quote(words) + ": an empty host");
    spec.hosts.emplace_back(host);
    if (comma == std::string_view::npos) return spec;
    rest.remove_prefix(comma + 1);
  }
}

WorkPlan plan_primary(const PrimarySetup& given, Clock& clock, const Wall& wall) {
  PrimarySetup setup = given;
  check_words(setup);
  const Cluster cluster = find_cluster(setup.cluster, clock, setup.roots);
  if (cluster.major < 12) {
    throw Error(Fault::Unsupported, "PostgreSQL " + std::to_string(cluster.major) +
                                        " is too old: 12 or newer is needed");
  }
  const LocalSql sql(cluster, clock);
  check_server(sql, cluster);
  const PrimaryBefore before = read_before(sql);
  keep_before(setup, before);
  check_words(setup);
  check_login(setup);
  check_roles(sql, names_of(setup.standbys), {setup.plan.group, before.group});
  check_connected(sql, setup);
  const std::string away = check_waited_for(sql, setup, before);
  const PkiPlace place{setup.pki, cluster, wall};
  if (path_exists(setup.pki)) directory_user(setup.pki, cluster);
  if (!setup.given.ca.empty()) check_given(setup, place);
  PrimaryWork work{sql, setup.plan, {}, setup.drop, ""};
  work.plan.pki = setup.given.ca.empty() ? place.paths() : setup.given;
  if (!setup.password_file.empty() && setup.plan.login == Login::Password) {
    work.password = read_password(setup.password_file);
  }
  work.standbys = names_of(setup.standbys);

  WorkPlan plan(setup.again);
  plan.hold([=] { return std::make_shared<ClusterLock>(cluster); });
  add_certificates(plan, setup, place);
  for (const NodeSpec& standby : setup.standbys) add_bundle(plan, setup, place, standby, sql);
  add_database_steps(plan, work);
  add_notes(plan, setup, cluster);
  if (!away.empty()) plan.note(away);
  return plan;
}

}  // namespace xs
