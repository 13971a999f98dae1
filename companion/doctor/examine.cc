// SPDX-License-Identifier: MIT
#include "companion/doctor/examine.h"

#include <optional>

#include "base/text.h"
#include "companion/doctor/database.h"
#include "companion/doctor/groups.h"
#include "companion/doctor/health.h"
#include "companion/doctor/node.h"
#include "companion/doctor/units.h"
#include "companion/doctor/versions.h"
#include "companion/xroad_ini.h"

namespace xs {
namespace {

struct Topic {
  const char* name;
  Findings (*look)(const DoctorSubject& subject);
};
constexpr Topic kTopics[] = {
    {"node", look_at_node},         {"database", look_at_database}, {"file sync", look_at_units},
    {"health", look_at_health},     {"admin UI", look_at_groups},   {"clock", look_at_clock},
    {"versions", look_at_versions}, {"peers", look_at_peers},
};

// A wrong line hides as little as it can: ours is left out before X-Road's are.
struct Settings {
  NodeSettings node;
  Ini xroad;
  std::optional<Error> trouble;
  bool xroad_read = false;
};

Settings read_settings(const DoctorPlaces& places) {
  const ConfigPlaces& config = places.config;
  Settings settings;
  settings.node.places = config;
  settings.node.serverconf_db.db_properties = config.xroad + "/db.properties";
  const auto attempt = [&settings](const auto& read) {
    try {
      read();
    } catch (const Error& error) {
      if (!settings.trouble) settings.trouble = error;
    }
  };
  ConfigPlaces xroads_alone = config;
  xroads_alone.own.clear();
  xroads_alone.own_must_exist = false;
  attempt([&] {
    settings.xroad = load_xroad_ini(config.xroad);
    settings.xroad_read = true;
  });
  attempt([&] {
    settings.node = load_node_settings(xroads_alone);
    const std::vector<std::string>& ignored = settings.node.ignored;
    if (!ignored.empty()) throw Error(Fault::Usage, ignored.front());
  });
  attempt([&] { settings.node = load_node_settings(config); });
  settings.node.places = config;
  // A path that companion.ini names is one of that system.
  std::string& db = settings.node.serverconf_db.db_properties;
  if (!db.starts_with(places.root)) db = places.at(db);
  return settings;
}

Finding judge_settings(const std::optional<Error>& trouble) {
  if (!trouble) return fine("readable, and every value fits");
  if (trouble->code() == EACCES) return unknown(trouble->text() + ": run as root");
  return wrong(trouble->fault(), trouble->text(), "correct that line");
}

Finding settings_finding(const Settings& settings) {
  Finding finding = judge_settings(settings.trouble);
  finding.topic = "node";
  finding.point = "settings";
  return finding;
}

}  // namespace

Findings examine(const DoctorPlaces& places, Clock& clock,
                 const std::function<void(const Finding&)>& tell) {
  Findings all;
  const auto add = [&](Finding finding) {
    if (tell) tell(finding);
    all.push_back(std::move(finding));
  };
  const Settings settings = read_settings(places);
  add(settings_finding(settings));
  Accounts accounts(places.root, clock);
  const DoctorSubject subject{
      places,   settings.node, settings.xroad,     node_type(settings.xroad),
      accounts, clock,         settings.xroad_read};
  for (const Topic& topic : kTopics) {
    for (Finding& finding : topic.look(subject)) {
      finding.topic = topic.name;
      add(std::move(finding));
    }
  }
  return all;
}

}  // namespace xs
