// SPDX-License-Identifier: MIT
// `xroad-companion replication setup primary` and `setup standby`.
#include "cli/companion_setup.h"

#include <unistd.h>

#include <array>
#include <cstdio>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/companion_replication_verbs.h"
#include "companion/replication/cluster_tools.h"
#include "companion/replication/setup_primary.h"
#include "companion/replication/setup_standby.h"

namespace xs::cli {
namespace {

struct PrimaryLine {
  PrimarySetup setup;
  std::shared_ptr<ClusterChoice> cluster;
  CLI::App* app = nullptr;
  std::string profile, login;
  std::vector<std::string> standbys;
  bool dry = false;
};

struct StandbyLine {
  StandbySetup setup;
  std::shared_ptr<ClusterChoice> cluster;
  std::string bundle, profile, login, password_file;
  int timeout = 120;
  bool dry = false;
};

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) throw_errno("gethostname", "this node");
  return name.data();
}

std::string short_name() {
  std::string name = host_name();
  name.resize(std::min(name.find('.'), name.size()));
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return name;
}

Profile profile_named(const std::string& name) {
  const ProfileRow* row = find_profile(name);
  if (row != nullptr) return row->profile;
  throw Error(Fault::Usage, quote(name) +
                                " is no profile: say xroad, central-server or "
                                "synchronous");
}

Login login_named(const std::string& name, Profile profile) {
  if (name.empty()) return profile_row(profile).login;
  return name == "password" ? Login::Password : Login::Certificate;
}

void add_login(CLI::App& app, std::string& profile, std::string& login) {
  app.add_option("--profile", profile, "xroad, central-server or synchronous. [xroad]");
  app.add_option("--login", login, "How standbys log in. [the profile's]")
      ->check(CLI::IsMember({"certificate", "password"}));
}

void add_files(CLI::App& app, PkiPaths& paths, std::string& password_file, std::string& pki) {
  app.add_option("--pki", pki, "Where the certificates lie.")->capture_default_str();
  app.add_option("--ca", paths.ca, "Certificates that exist already: the CA's.");
  app.add_option("--cert", paths.certificate, "This node's certificate, with --ca.");
  app.add_option("--key", paths.key, "Its key.");
  app.add_option("--password-file", password_file,
                 "A file whose first line is the password, readable by its owner alone.");
}

std::shared_ptr<PrimaryLine> add_primary(CLI::App& app) {
  const auto line = std::make_shared<PrimaryLine>();
  PrimarySetup& setup = line->setup;
  line->app = &app;
  add_login(app, line->profile, line->login);
  app.add_option("--name", setup.name, "This node's name. [the host's]");
  app.add_option("--host", setup.hosts,
                 "Name or address by which standbys reach this node, the first one is used; more "
                 "than once. [the host's name]")
      ->allow_extra_args(false);
  app.add_option("--standby", line->standbys,
                 "NAME[=HOST,...] of a standby, which gets a role, a slot and a bundle; more than "
                 "once.")
      ->allow_extra_args(false);
  app.add_option("--allow", setup.plan.allow,
                 "From where standbys may connect, as in pg_hba.conf; more than once.")
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("--listen", setup.plan.listen, "listen_addresses.")->capture_default_str();
  app.add_option(
         "--wal-limit", setup.plan.wal_limit,
         "How much log a slot keeps for a standby that is away; PostgreSQL 12 knows no limit.")
      ->capture_default_str();
  app.add_option("--group", setup.plan.group, "The role that all standbys are in.")
      ->capture_default_str();
  app.add_flag("--change-profile", setup.change_profile,
               "Let --profile, --login and --group replace what an earlier run has put in place.");
  app.add_option("--drop", setup.drop,
                 "NAME of a standby that commits wait for no longer (synchronous); more than once.")
      ->allow_extra_args(false);
  app.add_option("--ca-days", setup.ca_days, "How long our CA lasts.")
      ->check(CLI::Range(1, 36'500))
      ->capture_default_str();
  app.add_option("--cert-days", setup.node_days, "How long a node's certificate lasts.")
      ->check(CLI::Range(1, 36'500))
      ->capture_default_str();
  add_files(app, setup.given, setup.password_file, setup.pki);
  app.add_flag("--dry-run", line->dry, "Say what would be done, and do nothing.");
  line->cluster = add_cluster_options(app);
  return line;
}

std::shared_ptr<StandbyLine> add_standby(CLI::App& app) {
  const auto line = std::make_shared<StandbyLine>();
  StandbySetup& setup = line->setup;
  setup.pki = kPkiDirectory;
  StandbyPlan& plan = setup.bundle.standby;
  app.add_option("--bundle", line->bundle,
                 "The directory that `setup primary --standby` has made for this node.");
  add_login(app, line->profile, line->login);
  app.add_option("--primary", plan.host, "Without a bundle: the primary's host ...");
  app.add_option("--primary-port", plan.port, "Its port.")
      ->check(CLI::Range(1, 65'535))
      ->capture_default_str();
  app.add_option("--name", plan.name, "The role that this node logs in as. [the host's name]");
  app.add_option("--slot", plan.slot, "Its slot. [after its name]");
  app.add_option("--listen", setup.listen, "listen_addresses.")->capture_default_str();
  add_files(app, setup.bundle.source, line->password_file, setup.pki);
  app.add_flag("--replace-data", setup.replace_data,
               "Put databases aside that are here already and are no copy of the primary's.");
  app.add_flag("--reclone", setup.reclone,
               "Take a new copy, also where a standby of this primary is in place.");
  app.add_option("--timeout", line->timeout, "Seconds in which it has to follow its primary.")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app.add_flag("--dry-run", line->dry, "Say what would be done, and do nothing.");
  line->cluster = add_cluster_options(app);
  return line;
}

int set_up_primary(const ReplicationCall& call, PrimaryLine& line) {
  PrimarySetup& setup = line.setup;
  line.cluster->fill_from(load_node_settings(call.places).cluster);
  setup.cluster = *line.cluster;
  const auto unsaid = [&](const char* option) { return line.app->count(option) == 0; };
  setup.unsaid = {unsaid("--profile"), unsaid("--login"),     unsaid("--group"), unsaid("--allow"),
                  unsaid("--listen"),  unsaid("--wal-limit"), unsaid("--pki")};
  if (!line.profile.empty()) setup.plan.profile = profile_named(line.profile);
  setup.plan.login = login_named(line.login, setup.plan.profile);
  if (setup.name.empty()) setup.name = short_name();
  if (setup.hosts.empty()) setup.hosts = {host_name()};
  for (const std::string& words : line.standbys) setup.standbys.push_back(parse_node_spec(words));
  setup.again = own_command();
  perform(plan_primary(setup, call.clock, wall_now), line.dry);
  return 0;
}

void read_what_to_follow(StandbyLine& line) {
  Bundle& bundle = line.setup.bundle;
  StandbyPlan& plan = bundle.standby;
  if (!line.bundle.empty()) {
    if (!plan.host.empty() || !plan.name.empty() || !bundle.source.ca.empty()) {
      throw Error(Fault::Usage, "--bundle says what --primary, --name, --ca, --cert and --key say");
    }
    bundle = read_bundle(line.bundle);
    return;
  }
  if (plan.host.empty() || bundle.source.ca.empty() || bundle.source.certificate.empty() ||
      bundle.source.key.empty()) {
    throw Error(Fault::Usage, "give --bundle, or --primary with --ca, --cert and --key");
  }
  if (plan.name.empty()) plan.name = short_name();
  if (plan.slot.empty()) plan.slot = slot_name(plan.name);
  plan.profile = profile_named(line.profile.empty() ? "xroad" : line.profile);
  plan.login = login_named(line.login, plan.profile);
  read_sources(bundle, line.password_file);
}

int set_up_standby(const ReplicationCall& call, StandbyLine& line) {
  line.cluster->fill_from(load_node_settings(call.places).cluster);
  line.setup.cluster = *line.cluster;
  line.setup.stream_limit = std::chrono::seconds(line.timeout);
  line.setup.again = own_command();
  read_what_to_follow(line);
  perform(plan_standby(line.setup, call.clock, wall_now), line.dry);
  return 0;
}

}  // namespace

std::shared_ptr<ClusterChoice> add_cluster_options(CLI::App& verb) {
  const auto choice = std::make_shared<ClusterChoice>();
  const auto add = [&verb](const char* name, std::string& value, const char* help) {
    verb.add_option(name, value, help)->group("The PostgreSQL cluster of this node");
  };
  add("--cluster", choice->name, "Its name. [serverconf]");
  add("--data", choice->data, "Its data directory. [looked for]");
  add("--config", choice->config, "Where its postgresql.conf lies. [looked for]");
  add("--bin", choice->bin, "PostgreSQL's programs. [looked for]");
  add("--service", choice->service, "The unit of systemd that starts it. [looked for]");
  add("--sockets", choice->sockets, "The directory of its socket. [postgresql.conf's]");
  verb.add_option("--port", choice->port, "Its port. [postgresql.conf's]")
      ->check(CLI::Range(1, 65'535))
      ->group("The PostgreSQL cluster of this node");
  return choice;
}

std::string own_command() {
  const std::string bytes = read_file("/proc/self/cmdline", 64U << 10);
  std::vector<std::string> words;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\0', at), bytes.size());
    words.push_back(bytes.substr(at, end - at));
    at = end + 1;
  }
  return escape(shell_words(words));
}

void perform(const WorkPlan& plan, bool dry) {
  const WorkPlan::Say say = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);  // a step may take hours
  };
  if (dry) return plan.describe(say);
  if (!plan.run(say)) say("Nothing had to be changed.\n");
}

ReplicationVerb add_replication_setup(CLI::App& group) {
  CLI::App* app = group.add_subcommand(
      "setup", "Make this node's database a primary for standbys, or a standby.");
  app->require_subcommand(1);
  CLI::App* primary = app->add_subcommand(
      "primary",
      "Configuration, certificates, roles and slots. Running it again goes on; what an earlier "
      "run has put in place holds where no option says else. Needs PostgreSQL 12 or newer.");
  CLI::App* standby = app->add_subcommand(
      "standby",
      "A copy of the primary's data in place of this node's, which is put aside. Needs PostgreSQL "
      "12 or newer.");
  const auto primary_line = add_primary(*primary);
  const auto standby_line = add_standby(*standby);
  return {app, [=](const ReplicationCall& call) {
            return primary->parsed() ? set_up_primary(call, *primary_line)
                                     : set_up_standby(call, *standby_line);
          }};
}

}  // namespace xs::cli
