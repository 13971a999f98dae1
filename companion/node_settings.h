// SPDX-License-Identifier: MIT
// NodeSettings: what this node says about itself and about us. X-Road's own ini files in X-Road's
// load order (common, proxy and signer, addons, override-*, local, node), then
// /etc/xroad-sync/companion.ini, which may override the X-Road keys that we use and has sections of
// its own. Read at start. A value of our own file that cannot be used, or a key of it that nobody
// knows, is an Error of class Usage with file:line; a value of X-Road's files is ignored and told.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ini.h"
#include "companion/checks/auth_key.h"
#include "companion/checks/global_conf.h"
#include "companion/checks/hsm.h"
#include "companion/checks/memory.h"
#include "companion/checks/proxy_answers.h"
#include "companion/checks/replication.h"
#include "companion/checks/serverconf_db.h"
#include "companion/checks/sync_age.h"
#include "companion/listen.h"
#include "companion/replication/access.h"
#include "companion/replication/central_choice.h"
#include "companion/replication/cluster_choice.h"

namespace xs {

struct ConfigPlaces {
  std::string xroad = "/etc/xroad";
  std::string own = "/etc/xroad-sync/companion.ini";
  bool own_must_exist = false;  // somebody named it
};

// Which checks are asked. X-Road's own are on, and so are those that tell whether the proxy beside
// us is alive and well, as X-Road's own health check is only where it is. What more we know is off
// until somebody wants it.
struct CheckSwitches {
  bool global_conf = true;
  bool auth_key = true;
  bool serverconf_db = true;
  bool proxy_alive = true;            // where the proxy is installed
  std::optional<bool> proxy_answers;  // not said: where it has a port of its own to ask
  bool sync_age = false;
  bool replication = false;
  bool sign_keys = false;
};

// For the verb `upgrade`; its state also for whoever starts.
struct UpgradeSettings {
  std::string state_file = "/var/lib/xroad-sync/upgrade.json";
  std::string sync_program;         // empty: beside us, or in /usr/bin
  std::string sync_config;          // empty: its own default
  std::string sync_user = "xroad";  // as root we run it as that account, where there is one
  std::string sync_environment = "/etc/default/xroad-sync";  // as its unit reads it
};

struct NodeSettings {
  ConfigPlaces places;
  std::string role = "standalone";  // "primary", "secondary"; "unknown": node.ini has another word
  std::string role_where = "default";
  std::uint16_t xroads_health_port = 0;  // of X-Road's files, where xroad-proxy listens; 0: nowhere
  bool proxy_installed = false;          // xroad-proxy of this node, as its proxy.ini tells
  ListenAddress health{"0.0.0.0", 0, "default"};
  ListenAddress admin{"127.0.0.1", 5566, "default"};
  ListenAddress agent{"0.0.0.0", 0, "default"};
  bool admin_remote_read = false;
  bool maintenance_survives = false;
  std::string maintenance_file = "/var/lib/xroad-sync/maintenance.json";

  CheckSwitches on;
  bool hsm_enabled = false;
  GlobalConfSettings global_conf;
  AuthKeySettings auth_key;  // its keys are those of sign-keys and hsm, too
  ServerconfDbSettings serverconf_db;
  MemorySettings memory;  // threshold 0: off
  HsmSettings hsm;
  ProxyAnswersSettings proxy_answers;
  SyncAgeSettings sync_age;
  ReplicationSettings replication;
  UpgradeSettings upgrade;
  ReplicationAccess replication_access;  // for the verbs of `replication`
  CentralChoice central;                 // for replication status
  ClusterChoice cluster;                 // for those that change the database's cluster
  std::vector<std::string> ignored;  // values of X-Road's files, instead of which a default holds

  bool asks_proxys_health() const;
};

NodeSettings load_node_settings(const ConfigPlaces& places);

// One key that we read, for the loader and for the documented example.
struct SettingRow {
  const char* section;
  const char* key;
  const char* example;  // its default, or a value that shows the form
  const char* help;
  void (*apply)(NodeSettings& settings, const IniValue& value);
  const char* fallback = nullptr;  // the default in words, where it is not the example
};
std::span<const SettingRow> setting_table();
// What the key takes, as the message about a wrong value says it: "a number from 0 to 65535".
// Empty: it takes anything.
std::string accepted_by(const SettingRow& row);
// companion.ini with every key, commented out.
std::string example_ini();

}  // namespace xs
