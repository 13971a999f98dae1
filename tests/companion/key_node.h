// SPDX-License-Identifier: MIT
// KeyNode: the files of a security server that the checks of its keys read, as X-Road writes them:
// signer/keyconf.xml, signer/softtoken/*.p12, the OCSP cache, the global configuration. It comes up
// healthy, with an authentication key and a signing key; a test then breaks one thing. It lives in
// kNow.
#pragma once

#include <string>
#include <vector>

#include "companion/key_state.h"
#include "tests/companion/pki.h"
#include "tests/support/temp_tree.h"

namespace xs::test {

inline constexpr std::int64_t kNow = 1'800'000'000;  // 2027-01-15T08:00:00Z

struct KeyPlan {
  std::string usage = "AUTHENTICATION";
  std::string id = "AA01";
  std::string device = "softToken";
  std::string status = "registered";
  std::string active = "true";
  std::string contents;  // base64
  std::string member;    // memberCode of a signing certificate
};

class KeyNode {
 public:
  KeyNode();

  KeySettings settings() const;
  Wall wall() const {
    return [] { return kNow; };
  }
  CertPlan valid(const std::string& name) const { return {name, kNow - 86'400, kNow + 86'400}; }
  OcspPlan fresh() const { return {0, kNow - 60, kNow + 3'600}; }

  void write_keyconf(const std::vector<KeyPlan>& keys);
  void write_keyconf(const std::string& xml);
  // What the signer stored about a certificate.
  void store(const Identity& subject, const std::string& response);
  std::string stored_path(const Identity& subject) const;

  struct Global {
    std::vector<const Identity*> cas;
    std::vector<const Identity*> responders;  // of the first CA
    std::vector<const Identity*> servers;     // by their authentication certificates
    std::string freshness = "3600";
  };
  void write_global(const Global& global);
  void write_next_update(const std::string& word);

  // As after the constructor.
  std::vector<KeyPlan> healthy_keys() const;

  TempTree tree;
  Identity ca, auth, sign;
};

// The text around the devices of a keyconf.xml.
std::string keyconf_text(const std::vector<KeyPlan>& keys);

}  // namespace xs::test
