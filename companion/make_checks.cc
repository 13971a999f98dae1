// SPDX-License-Identifier: MIT
#include "companion/make_checks.h"

#include "companion/checks/proxy_alive.h"
#include "companion/checks/sign_keys.h"

namespace xs {
namespace {

bool has_a_primary(const NodeSettings& settings) {
  return settings.role != "primary" && settings.role != "standalone";
}

}  // namespace

std::vector<std::unique_ptr<Check>> make_checks(const NodeSettings& settings) {
  std::vector<std::unique_ptr<Check>> checks;
  const auto add = [&](std::unique_ptr<Check> check) { checks.push_back(std::move(check)); };
  const CheckSwitches& on = settings.on;
  if (settings.hsm_enabled) add(std::make_unique<HsmCheck>(settings.hsm));
  if (on.global_conf) add(std::make_unique<GlobalConfCheck>(settings.global_conf));
  if (on.auth_key) add(std::make_unique<AuthKeyCheck>(settings.auth_key));
  if (on.serverconf_db) add(std::make_unique<ServerconfDbCheck>(settings.serverconf_db));
  if (settings.memory.threshold != 0) add(std::make_unique<MemoryCheck>(settings.memory));
  if (on.proxy_alive && settings.proxy_installed) {
    add(std::make_unique<ProxyAliveCheck>(settings.memory.proxy_admin));
  }
  if (settings.asks_proxys_health())
    add(std::make_unique<ProxyAnswersCheck>(settings.proxy_answers));
  const bool secondary = has_a_primary(settings);
  if (on.sync_age && secondary) add(std::make_unique<SyncAgeCheck>(settings.sync_age));
  if (on.replication && secondary) add(std::make_unique<ReplicationCheck>(settings.replication));
  if (on.sign_keys) add(std::make_unique<SignKeysCheck>(settings.auth_key.keys));
  return checks;
}

std::vector<LeftOut> left_out_checks(const NodeSettings& settings) {
  std::vector<LeftOut> left_out;
  if (has_a_primary(settings)) return left_out;
  const std::string why = settings.role == "primary" ? "not on a primary" : "not on a single node";
  if (settings.on.sync_age) left_out.push_back({"sync-age", why});
  if (settings.on.replication) left_out.push_back({"replication", why});
  return left_out;
}

}  // namespace xs
