// SPDX-License-Identifier: MIT
// OCSP: does a stored response (DER) say now that a certificate is good, and may its signer say so?
// X-Road's rules: the certificate's own CA signs, or a responder that the global configuration
// names for that CA, or one to which that CA gave the right (OCSPSigning); thisUpdate is not older
// than the global configuration allows; nextUpdate, where it is given and looked at, is not over.
// We ask one thing more: such a responder's certificate must carry the CA's signature, not only its
// name. Nothing is thrown for what is in the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "companion/global_params.h"

namespace xs {

inline constexpr std::size_t kOcspLimit = 256U << 10;

struct OcspAnswer {
  enum class Kind : std::uint8_t { Unreadable, Refusal, NotGood, Good };
  Kind kind = Kind::Unreadable;
  int response_status = 0;       // of a Refusal: 1 malformed request ... 6 unauthorized
  std::string why;               // escaped; empty when good
  std::int64_t this_update = 0;  // when good
};

// `ca`: the issuer of the certificate, one of trust.cas.
OcspAnswer judge_ocsp(std::string_view der, X509& certificate, const ApprovedCa& ca,
                      const GlobalTrust& trust, std::int64_t now);

}  // namespace xs
