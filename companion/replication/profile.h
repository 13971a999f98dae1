// SPDX-License-Identifier: MIT
// Profiles: what a primary and a standby have to say in postgresql.conf and pg_hba.conf, for the
// three ways in which X-Road's databases are replicated. Pure: values in, lines out, a version of
// PostgreSQL decides the names.
//   xroad           asynchronous, client certificates, hot standby (load balancer guide, chapter 4)
//   central-server  asynchronous, passwords, hot standby (Central Server's guide, appendix A)
//   synchronous     no commit is acknowledged before every standby has it; they answer nobody
#pragma once

#include <map>
#include <string>
#include <vector>

#include "companion/jdbc.h"

namespace xs {

enum class Profile { Xroad, CentralServer, Synchronous };
enum class Login { Certificate, Password };

struct ProfileRow {
  Profile profile;
  const char* name;
  Login login;
  bool hot;  // the standby answers questions
};
const ProfileRow& profile_row(Profile profile);
const ProfileRow* find_profile(const std::string& name);  // nullptr: there is none

// Where PostgreSQL reads the certificates.
struct PkiPaths {
  std::string ca, certificate, key;
};

using Settings = std::vector<std::pair<std::string, std::string>>;
// "name = 'value'" lines.
std::string conf_lines(const Settings& settings);

struct PrimaryPlan {
  Profile profile = Profile::Xroad;
  Login login = Login::Certificate;
  std::string group = "slavenode";
  std::vector<std::string> allow = {"samenet"};  // addresses of pg_hba.conf
  std::string listen = "*";
  std::string wal_limit = "4GB";
  PkiPaths pki;
  std::vector<std::string> synchronous;      // standbys that commits wait for, now
  std::map<std::string, long long> atleast;  // max_wal_senders and such, as they are
};
// synchronous_standby_names for these. All of them: which one is promoted is not known before, and
// it must have every commit.
std::string synchronous_setting(const std::vector<std::string>& standbys);
Settings primary_settings(const PrimaryPlan& plan, int major);
std::string primary_hba(const PrimaryPlan& plan);

struct StandbyPlan {
  Profile profile = Profile::Xroad;
  Login login = Login::Certificate;
  std::string name;  // the role, and application_name
  std::string slot;
  std::string host;
  std::uint16_t port = 5433;
  std::string listen = "localhost";
  std::string passfile;
  PkiPaths pki;
  std::map<std::string, std::string> primarys;  // settings that a standby may not undercut
};
Settings standby_settings(const StandbyPlan& plan, int major);
// How the standby reaches its primary, for libpq: without a password.
std::string primary_conninfo(const StandbyPlan& plan);
DbTarget primary_target(const StandbyPlan& plan, const PkiPaths& pki, const std::string& password);

// What a standby may not have less of than its primary.
const std::vector<std::string>& not_less_settings();

// A standby's name: it is a role, a common name, part of a path. Throws Usage.
void check_node_name(const std::string& name);
std::string slot_name(const std::string& node);
// Where slots have no limit, what that means; "" from 13 on.
std::string slot_warning(int major);

}  // namespace xs
