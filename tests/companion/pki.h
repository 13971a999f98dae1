// SPDX-License-Identifier: MIT
// Pki: certificates, and OCSP responses about them, made by OpenSSL for the moment that a test
// lives in. Keys are elliptic curves, so that a hundred of them cost nothing.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace xs::test {

struct Identity {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;
  std::string der() const;
  std::string pem() const;
  std::string key_pem() const;
};

struct CertPlan {
  std::string name;
  std::int64_t from = 0, until = 0;  // since the epoch
  bool ca = false;
  bool ocsp_signing = false;
  std::string alt = "IP:127.0.0.1";  // whose it is, where it is no CA's
};

// `ca` nullptr: signed by itself.
Identity make_identity(const CertPlan& plan, const Identity* ca = nullptr);

struct OcspPlan {
  int status = 0;  // V_OCSP_CERTSTATUS_GOOD, _REVOKED, _UNKNOWN
  std::int64_t this_update = 0;
  std::optional<std::int64_t> next_update;
  const Identity* signer = nullptr;  // nullptr: the CA
  bool enclose = true;               // the signer's certificate
  bool by_key = false;               // the responder is named by its key's hash
  const EVP_MD* digest = nullptr;    // of the certificate's id; nullptr: SHA-1
};
std::string make_ocsp(const Identity& subject, const Identity& ca, const OcspPlan& plan);
// A response that is no answer: 6 is "unauthorized".
std::string make_refusal(int response_status);

std::string base64(const std::string& bytes);

}  // namespace xs::test
