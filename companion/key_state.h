// SPDX-License-Identifier: MIT
// KeyState: which certificates of this node can be used now, and why the others cannot. Reads the
// signer's registry (keyconf.xml), its key files by name, its OCSP cache and the CAs of the global
// configuration; holds no key and needs no PIN. Asked by the checks of authentication and signing
// keys. What is wrong with a file is a value, `trouble` or `why`; nothing is thrown for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "companion/keyconf_certs.h"
#include "companion/wall.h"

namespace xs {

struct KeySettings {
  std::string keyconf = "/etc/xroad/signer/keyconf.xml";  // [signer] key-configuration-file
  std::string ocsp_cache = "/var/cache/xroad";            // [signer] ocsp-cache-path
  std::string global_conf = "/etc/xroad/globalconf";      // [common] configuration-path
};

// How far an active and registered certificate of a key gets on its way to be used.
enum class CertStage : std::uint8_t {
  Key,          // the key file is missing or unreadable
  Certificate,  // the certificate does not parse
  Validity,     // outside its dates, or its issuer is not of the global configuration
  OcspMissing,  // no response, or not one that parses
  OcspStatus,   // the responder answered with an error (`response_status`)
  OcspGood,     // revoked, unknown, stale, of a wrong signer
  Usable,
};

struct CertState {
  CertStage stage = CertStage::Key;
  std::string key;     // its id
  std::string name;    // of the certificate: subject and serial number
  std::string member;  // whom a signing certificate is for
  std::string why;     // what keeps it from being used, escaped; empty when usable
  int response_status = 0;
  std::int64_t valid_until = 0;  // of the certificate
  bool in_writing = false;       // its OCSP response was written this moment, and does not parse
};

struct KeyStates {
  std::string trouble;           // why nothing could be judged; then there are no certificates
  std::vector<CertState> certs;  // active and registered ones of keys of this usage
  std::size_t others = 0;        // certificates of this usage that are not active or registered
};

class KeyState {
 public:
  KeyState(KeySettings settings, Wall wall);
  ~KeyState();
  // Waits a moment, once, for an OCSP response that the signer is writing.
  KeyStates look(KeyUsage usage, Clock& clock, Instant deadline);

 private:
  KeyStates look_once(KeyUsage usage);

  class Trust;  // what the global configuration says, read again when its files change
  KeySettings settings_;
  Wall wall_;
  std::unique_ptr<Trust> trust_;
};

}  // namespace xs
