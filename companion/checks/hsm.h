// SPDX-License-Identifier: MIT
// "Hardware Security Modules status", where hsm-health-check-enabled is set. Whether a module works
// is known to the signer alone, which tells nobody outside X-Road. So this asks what can be known:
// the signer's port answers; devices.ini can be read; the library of each module that it enables is
// a shared object that is there; each module that keyconf.xml keeps keys on is still enabled; and,
// where the proxy's own health port is given, the proxy does not report a module as broken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "companion/check.h"
#include "companion/http_get.h"

namespace xs {

struct HsmSettings {
  std::string devices = "/etc/xroad/devices.ini";  // [signer] device-configuration-file
  std::string keyconf = "/etc/xroad/signer/keyconf.xml";
  std::string signer_host = "127.0.0.1";
  std::uint16_t signer_port = 5560;
  std::optional<HttpTarget> proxy_health;  // X-Road's own, when it has one
};

class HsmCheck final : public Check {
 public:
  explicit HsmCheck(HsmSettings settings);
  std::string name() const override { return "Hardware Security Modules status"; }
  std::string word() const override { return "hsm"; }
  Verdict ask(Clock& clock, Instant deadline) override;

 private:
  HsmSettings settings_;
};

}  // namespace xs
