// SPDX-License-Identifier: MIT
#include "companion/replication/profile.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "companion/replication/marked_block.h"

namespace xs {
namespace {

constexpr auto kProfiles = std::to_array<ProfileRow>({
    {Profile::Xroad, "xroad", Login::Certificate, true},
    {Profile::CentralServer, "central-server", Login::Password, true},
    {Profile::Synchronous, "synchronous", Login::Password, false},
});

std::string at_least(const PrimaryPlan& plan, const std::string& name, long long floor) {
  const auto found = plan.atleast.find(name);
  return std::to_string(found == plan.atleast.end() ? floor : std::max(floor, found->second));
}

void add_pki(Settings& settings, const PkiPaths& pki) {
  settings.insert(settings.end(), {{"ssl", "on"},
                                   {"ssl_ca_file", pki.ca},
                                   {"ssl_cert_file", pki.certificate},
                                   {"ssl_key_file", pki.key}});
}

// A value of a connection string.
std::string info_quote(const std::string& value) {
  if (!value.empty() && value.find_first_of(" \t\n'\\") == std::string::npos) return value;
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

}  // namespace

const ProfileRow& profile_row(Profile profile) {
  return *std::find_if(kProfiles.begin(), kProfiles.end(),
                       [&](const ProfileRow& row) { return row.profile == profile; });
}

const ProfileRow* find_profile(const std::string& name) {
  const auto found = std::find_if(kProfiles.begin(), kProfiles.end(),
                                  [&](const ProfileRow& row) { return row.name == name; });
  return found == kProfiles.end() ? nullptr : &*found;
}

std::string conf_lines(const Settings& settings) {
  std::string lines;
  for (const auto& [name, value] : settings) lines += name + " = " + conf_quote(value) + "\n";
  return lines;
}

std::string synchronous_setting(const std::vector<std::string>& standbys) {
  std::string names;
  for (const std::string& name : standbys) {
    names += (names.empty() ? "\"" : ", \"") + name + "\"";
  }
  return names.empty() ? "" : "ANY " + std::to_string(standbys.size()) + " (" + names + ")";
}

Settings primary_settings(const PrimaryPlan& plan, int major) {
  Settings settings{{"listen_addresses", plan.listen}};
  add_pki(settings, plan.pki);
  settings.emplace_back("wal_level", "replica");
  settings.emplace_back("max_wal_senders", at_least(plan, "max_wal_senders", 10));
  settings.emplace_back("max_replication_slots", at_least(plan, "max_replication_slots", 10));
  // A slot keeps what a standby needs; this is for one that has lost its slot.
  if (major >= 13) {
    settings.emplace_back("wal_keep_size", "512MB");
    settings.emplace_back("max_slot_wal_keep_size", plan.wal_limit);
  } else {
    settings.emplace_back("wal_keep_segments", "32");
  }
  settings.emplace_back("wal_log_hints", "on");  // so that pg_rewind can bring an old primary back
  settings.emplace_back("hot_standby", profile_row(plan.profile).hot ? "on" : "off");
  if (plan.login == Login::Password) settings.emplace_back("password_encryption", "scram-sha-256");
  if (plan.profile == Profile::Synchronous) {
    settings.emplace_back("synchronous_commit", "on");
    settings.emplace_back("synchronous_standby_names", synchronous_setting(plan.synchronous));
  } else {
    settings.emplace_back("synchronous_standby_names", "");
  }
  return settings;
}

// The database postgres is for questions (positions, the clock); it is where everybody may connect.
// The last line keeps these roles from what the lines below ours allow.
std::string primary_hba(const PrimaryPlan& plan) {
  const std::string method = plan.login == Login::Certificate ? "cert" : "scram-sha-256";
  std::string lines;
  for (const char* database : {"replication", "postgres"}) {
    for (const std::string& address : plan.allow) {
      lines.append("hostssl ").append(database).append(" +").append(plan.group);
      lines.append(" ").append(address).append(" ").append(method).append("\n");
    }
  }
  return lines + "host replication,all +" + plan.group + " all reject\n";
}

const std::vector<std::string>& not_less_settings() {
  static const std::vector<std::string> kNames = {"max_connections", "max_locks_per_transaction",
                                                  "max_prepared_transactions", "max_wal_senders",
                                                  "max_worker_processes"};
  return kNames;
}

std::string primary_conninfo(const StandbyPlan& plan) {
  std::string info = "host=" + info_quote(plan.host) + " port=" + std::to_string(plan.port) +
                     " user=" + info_quote(plan.name) +
                     " application_name=" + info_quote(plan.name) +
                     " sslmode=verify-full sslrootcert=" + info_quote(plan.pki.ca);
  if (plan.login == Login::Certificate) {
    info += " sslcert=" + info_quote(plan.pki.certificate) + " sslkey=" + info_quote(plan.pki.key);
  } else {
    info += " passfile=" + info_quote(plan.passfile);
  }
  // A primary that is cut off is noticed in half a minute, not in the two hours of TCP.
  return info + " connect_timeout=10 keepalives_idle=15 keepalives_interval=5 keepalives_count=3";
}

DbTarget primary_target(const StandbyPlan& plan, const PkiPaths& pki, const std::string& password) {
  DbTarget target;
  target.hosts = {{plan.host, plan.port}};
  target.database = "postgres";
  target.user = plan.name;
  target.options = {{"sslmode", "verify-full"}, {"sslrootcert", pki.ca}};
  if (plan.login == Login::Certificate) {
    target.options.emplace_back("sslcert", pki.certificate);
    target.options.emplace_back("sslkey", pki.key);
  } else {
    target.password = password;
  }
  return target;
}

Settings standby_settings(const StandbyPlan& plan, int major) {
  const bool hot = profile_row(plan.profile).hot;
  Settings settings{{"listen_addresses", plan.listen}};
  add_pki(settings, plan.pki);
  settings.emplace_back("wal_level", "replica");
  settings.emplace_back("wal_log_hints", "on");
  for (const auto& [name, value] : plan.primarys) settings.emplace_back(name, value);
  settings.emplace_back("hot_standby", hot ? "on" : "off");
  settings.emplace_back("hot_standby_feedback", hot ? "on" : "off");
  settings.emplace_back("primary_conninfo", primary_conninfo(plan));
  settings.emplace_back("primary_slot_name", plan.slot);
  settings.emplace_back("recovery_target_timeline", "latest");
  // On its own it must be able to commit.
  settings.emplace_back("synchronous_standby_names", "");
  // After a promotion, for the other nodes: they have no slots here before they follow.
  if (major >= 13) {
    settings.emplace_back("wal_keep_size", "512MB");
    settings.emplace_back("max_slot_wal_keep_size", "4GB");
  } else {
    settings.emplace_back("wal_keep_segments", "32");
  }
  return settings;
}

void check_node_name(const std::string& name) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kAll = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
  const bool good = !name.empty() && name.size() <= 60 &&
                    kFirst.find(name.front()) != std::string_view::npos &&
                    name.find_first_not_of(kAll) == std::string::npos && !name.starts_with("pg_");
  if (good) return;
  throw Error(Fault::Usage, quote(name) +
                                " is no name for a node: small letters, digits, '.', '_' "
                                "and '-', at most 60");
}

std::string slot_warning(int major) {
  if (major >= 13) return "";
  return "WARNING: PostgreSQL " + std::to_string(major) +
         " knows no limit for slots: while a standby is away, its slot keeps all log, until the "
         "disk is full and the\nprimary stops. Drop the slot of one that stays away: select "
         "pg_drop_replication_slot('NAME')";
}

std::string slot_name(const std::string& node) {
  std::string slot = node;
  for (char& c : slot) {
    if (c == '.' || c == '-') c = '_';
  }
  return slot;
}

}  // namespace xs
