// SPDX-License-Identifier: MIT
#include "companion/node_settings.h"

#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/xroad_ini.h"

namespace xs {
namespace {

const SettingRow* find_row(const IniValue& value) {
  const std::span<const SettingRow> table = setting_table();
  const auto found = std::find_if(table.begin(), table.end(), [&](const SettingRow& row) {
    return value.section == row.section && value.key == row.key;
  });
  return found == table.end() ? nullptr : std::to_address(found);
}

bool is_xroads(const SettingRow& row) {
  constexpr std::string_view kSections[] = {"proxy", "common", "signer", "node"};
  return std::find(std::begin(kSections), std::end(kSections), row.section) != std::end(kSections);
}

// Only the strongest value of a key counts: a wrong one that another file overrides harms nobody.
void apply_xroad(NodeSettings& settings, const Ini& ini) {
  for (const SettingRow& row : setting_table()) {
    const IniValue* value = is_xroads(row) ? ini.find(row.section, row.key) : nullptr;
    if (value == nullptr) continue;
    try {
      row.apply(settings, *value);
    } catch (const Error& error) {
      // X-Road may take it, and the sync brings it to every node at once.
      settings.ignored.push_back(error.text());
    }
  }
}

void apply_own(NodeSettings& settings, const Ini& ini) {
  for (const IniValue& value : ini.values()) {
    const SettingRow* row = find_row(value);
    if (row == nullptr) {
      throw Error(Fault::Usage, value.where() + ": nobody knows the key " + quote(value.key) +
                                    " in section [" + escape(value.section) +
                                    "]: see companion.ini.example");
    }
    row->apply(settings, value);
  }
}

// Where X-Road keeps things below its directory.
NodeSettings defaults(const ConfigPlaces& places) {
  NodeSettings settings;
  settings.places = places;
  const std::string& base = places.xroad;
  settings.global_conf.directory = settings.auth_key.keys.global_conf = base + "/globalconf";
  settings.auth_key.keys.keyconf = settings.hsm.keyconf = base + "/signer/keyconf.xml";
  settings.hsm.devices = base + "/devices.ini";
  settings.serverconf_db.db_properties = base + "/db.properties";
  settings.replication.db_properties = base + "/db.properties";
  return settings;
}

std::string reachable(const std::string& interface) {
  return interface == "0.0.0.0" || interface == "::" ? "127.0.0.1" : interface;
}

}  // namespace

// Its own port, unless it is the one that we are to have.
bool NodeSettings::asks_proxys_health() const {
  const std::uint16_t port = proxy_answers.proxy_health.port;
  return on.proxy_answers.value_or(port != 0 && port != health.port);
}

NodeSettings load_node_settings(const ConfigPlaces& places) {
  NodeSettings settings = defaults(places);
  settings.proxy_installed = ::access((places.xroad + "/conf.d/proxy.ini").c_str(), F_OK) == 0;
  apply_xroad(settings, load_xroad_ini(places.xroad));
  // What X-Road's files say is where X-Road's proxy listens, whatever we are told to do.
  settings.xroads_health_port = settings.health.port;
  if (settings.health.port != 0) {
    settings.proxy_answers.proxy_health = {reachable(settings.health.host), settings.health.port,
                                           "/"};
    settings.hsm.proxy_health = settings.proxy_answers.proxy_health;
  }
  apply_own(settings,
            places.own_must_exist ? Ini::load(places.own) : Ini::load_if_exists(places.own));
  return settings;
}

}  // namespace xs
