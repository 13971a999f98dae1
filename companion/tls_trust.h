// SPDX-License-Identifier: MIT
// TlsTrust: how a server proves that it is the one we mean. Plain values, for settings and options;
// used by companion/tls.
#pragma once

#include <string>
#include <vector>

namespace xs {

struct TlsTrust {
  std::vector<std::string> fingerprints;  // as parse_fingerprint() gives them; empty: by a CA
  std::string ca_file;                    // PEM; empty: the CAs of this system

  bool said() const { return !fingerprints.empty() || !ca_file.empty(); }
};

// SHA-256 of a certificate as OpenSSL or a browser prints it, to hex in lower case. Throws Usage.
std::string parse_fingerprint(const std::string& text);
// "AB:CD:...", for people to compare.
std::string fingerprint_text(const std::string& hex);

}  // namespace xs
