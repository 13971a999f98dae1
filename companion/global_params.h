// SPDX-License-Identifier: MIT
// The parts of the global configuration that a check of this node needs: where the main instance
// has its directory, until when a part is valid, which CAs are approved and who answers for them.
// Throws Io where a file cannot be read, and Mismatch where its content is not as X-Road writes it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "companion/certificate.h"

namespace xs {

inline constexpr std::size_t kGlobalPartLimit = 64U << 20;

// The name of the main instance, from the file instance-identifier.
std::string main_instance(const std::string& root);
// root/<instance, URL-encoded as Java does>
std::string instance_directory(const std::string& root, std::string_view instance);

// When a part expires, from the text of its .metadata file; Mismatch when it names another
// instance.
std::int64_t expiry_of(std::string_view metadata, std::string_view instance);

struct ApprovedCa {
  Certificate certificate;
  std::vector<Certificate> responders;  // that answer for it by their certificate
};

struct GlobalTrust {
  std::vector<ApprovedCa> cas;             // top and intermediate
  std::int64_t ocsp_freshness = 0;         // seconds
  bool check_next_update = true;           // nextupdate-params.xml
  std::set<std::string> auth_cert_hashes;  // of registered security servers, hex
};

// shared-params.xml
GlobalTrust parse_shared_params(std::string_view xml);
// nextupdate-params.xml
bool parse_next_update_params(std::string_view xml);

}  // namespace xs
