// SPDX-License-Identifier: MIT
// Certificates through OpenSSL, with one owner each and the reasons that OpenSSL gives. Shared by
// the readers of the global configuration, of OCSP responses and of keys.
#pragma once

#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xs {

struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

// Empty when the bytes are not one certificate and nothing behind it.
Certificate parse_certificate(std::string_view der);

// Those of a PEM text in its order, up to the first that cannot be read.
std::vector<Certificate> pem_certificates(std::string_view pem);

// "CN=ss1, O=Org, serial 4F2A", escaped.
std::string certificate_name(X509& certificate);
std::int64_t valid_from(X509& certificate);
std::int64_t valid_until(X509& certificate);

// Named as its issuer, and signed by its key.
bool issued_by(X509& certificate, X509& issuer);

// SHA-256 in hex, lower case; empty when OpenSSL refuses.
std::string fingerprint_of(X509& certificate);

// Hex, lower case; empty when OpenSSL refuses the algorithm.
std::string digest_hex(std::string_view bytes, const EVP_MD* algorithm);

// Seconds since the epoch; 0 for what is no time.
std::int64_t seconds_of(const ASN1_TIME* time);

// The newest error of OpenSSL in words, and forgets them all; "" when there is none.
std::string openssl_reason();

}  // namespace xs
