// SPDX-License-Identifier: MIT
// KeyconfCerts: the keys of keyconf.xml with their certificates, for the checks that judge them. A
// file that is no keyconf is a value (`trouble`). Nothing is expanded, no DTD is taken, no other
// file is opened; names are compared with their XML namespaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xs {

enum class KeyUsage : std::uint8_t { Authentication, Signing, None };

struct KeyconfCert {
  std::string id;
  std::string der;  // empty: its contents are no base64
  bool active = true;
  std::string status;  // "registered", "saved", ...
  std::string member;  // "INSTANCE/CLASS/CODE[/SUBSYSTEM]" of a signing certificate
  // What X-Road asks of a certificate before it uses it.
  bool in_use() const { return active && status.starts_with("registered"); }
};

struct KeyconfKey {
  std::string id;  // cannot name a file elsewhere
  std::string device;
  KeyUsage usage = KeyUsage::None;
  bool soft = false;  // it has a file here
  std::vector<KeyconfCert> certs;
};

struct KeyconfCerts {
  std::vector<KeyconfKey> keys;
  std::vector<std::string> devices;  // "type: label" of every device that is no software token
  std::string trouble;
};

inline constexpr std::size_t kKeyconfCertsLimit = 16U << 20;

KeyconfCerts parse_keyconf_certs(std::string_view xml);

// Strict base64 with blanks; nothing when it is not.
std::string decode_base64(std::string_view text);

}  // namespace xs
