// SPDX-License-Identifier: MIT
#include "companion/checks/hsm.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/keyconf_certs.h"
#include "companion/tcp.h"

namespace xs {
namespace {

constexpr const char* kBroken = "At least one HSM are non operational";
constexpr std::string_view kSoftToken = "softToken";

struct Module {
  bool enabled = true;
  std::string library;
  std::string where;  // of its section, for messages
};

// The module's own values may be lists and escapes of X-Road's reader; only two are looked at.
std::map<std::string, Module> read_modules(const std::string& path) {
  std::map<std::string, Module> modules;
  const Ini ini = Ini::load(path);
  for (const IniValue& value : ini.values()) {
    if (value.section.empty() || value.section == kSoftToken) continue;
    Module& module = modules[value.section];
    if (module.where.empty()) module.where = value.where();
    if (value.key == "enabled") module.enabled = value.value != "false";
    if (value.key == "library") module.library = value.value;
  }
  return modules;
}

// What a file is that dlopen() could take; loading a module here could disturb the signer's use.
std::string library_trouble(const Module& module) {
  if (module.library.empty()) return "no library is given";
  if (module.library.front() != '/') return "";  // found by the signer's own search path
  const Fd fd = open_file(module.library, O_RDONLY | O_NONBLOCK);
  std::array<char, 4> head{};
  const auto got = read_some(fd.get(), head, module.library);
  const bool elf = got == head.size() && std::string_view(head.data(), 4) ==
                                             "\x7f"
                                             "ELF";
  return elf ? "" : quote(module.library) + " is no shared object";
}

std::string modules_trouble(const HsmSettings& settings, std::size_t& enabled) {
  const auto modules = read_modules(settings.devices);
  for (const auto& [name, module] : modules) {
    if (!module.enabled) continue;
    ++enabled;
    const std::string trouble = library_trouble(module);
    if (!trouble.empty()) return "module " + quote(name) + " (" + module.where + "): " + trouble;
  }
  const KeyconfCerts keyconf = parse_keyconf_certs(read_file(settings.keyconf, kKeyconfCertsLimit));
  if (!keyconf.trouble.empty()) return quote(settings.keyconf) + ": " + keyconf.trouble;
  for (const KeyconfKey& key : keyconf.keys) {
    if (key.soft) continue;
    const auto module = modules.find(key.device);
    if (module == modules.end() || !module->second.enabled) {
      return "keyconf.xml has keys on " + quote(key.device) + ", which is not enabled in " +
             quote(settings.devices);
    }
  }
  return "";
}

// What X-Road itself says, where it can be asked.
std::string proxy_trouble(const HttpTarget& target, Clock& clock, Instant deadline) {
  const HttpReply reply = http_get(target, clock, deadline);
  const std::string_view line = trim(reply.body);
  const bool about_us =
      line.starts_with(kBroken) || line.ends_with("Hardware Security Modules status");
  return reply.status == 500 && about_us ? target.text() + " says: " + excerpt(line, 200) : "";
}

}  // namespace

HsmCheck::HsmCheck(HsmSettings settings) : settings_(std::move(settings)) {}

Verdict HsmCheck::ask(Clock& clock, Instant deadline) {
  try {
    tcp_open(settings_.signer_host, settings_.signer_port, clock, deadline);
    std::size_t enabled = 0;
    std::string trouble = modules_trouble(settings_, enabled);
    if (trouble.empty() && settings_.proxy_health) {
      trouble = proxy_trouble(*settings_.proxy_health, clock, deadline);
    }
    if (!trouble.empty()) return {false, kBroken, std::move(trouble)};
    const std::string modules = std::to_string(enabled) + " modules are enabled and installed; ";
    return {true, "",
            modules + (settings_.proxy_health ? "the proxy reports none as broken"
                                              : "whether they work is known to the signer alone")};
  } catch (const Error& error) {
    if (error.fault() == Fault::Timeout || error.fault() == Fault::ConnectTimeout) throw;
    return {false, kBroken, error.text()};
  }
}

}  // namespace xs
