// SPDX-License-Identifier: MIT
#include "companion/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>

#include "companion/wall.h"

namespace xs {
namespace {

struct FreeResponse {
  void operator()(OCSP_RESPONSE* response) const { OCSP_RESPONSE_free(response); }
};
struct FreeBasic {
  void operator()(OCSP_BASICRESP* basic) const { OCSP_BASICRESP_free(basic); }
};
struct FreeId {
  void operator()(OCSP_CERTID* id) const { OCSP_CERTID_free(id); }
};
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }  // not what is in it
};
using Response = std::unique_ptr<OCSP_RESPONSE, FreeResponse>;
using Basic = std::unique_ptr<OCSP_BASICRESP, FreeBasic>;

OcspAnswer answer(OcspAnswer::Kind kind, std::string why, int status = 0) {
  const std::string reason = openssl_reason();
  if (!reason.empty()) why += " (" + reason + ")";
  return {kind, status, std::move(why), 0};
}

Response parse_response(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = at + der.size();
  Response response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (at != end) response.reset();
  return response;
}

// The same certificate under the digest that the responder chose.
bool is_about(OCSP_SINGLERESP& single, X509& certificate, X509& issuer) {
  auto* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(&single));
  ASN1_OBJECT* algorithm = nullptr;
  if (OCSP_id_get0_info(nullptr, &algorithm, nullptr, nullptr, id) != 1) return false;
  const EVP_MD* digest = EVP_get_digestbyobj(algorithm);
  if (digest == nullptr) return false;
  const std::unique_ptr<OCSP_CERTID, FreeId> ours(OCSP_cert_to_id(digest, &certificate, &issuer));
  return ours && OCSP_id_cmp(ours.get(), id) == 0;
}

OCSP_SINGLERESP* find_single(OCSP_BASICRESP& basic, X509& certificate, X509& issuer) {
  for (int i = 0; i < OCSP_resp_count(&basic); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(&basic, i);
    if (single != nullptr && is_about(*single, certificate, issuer)) return single;
  }
  return nullptr;
}

// Is the response signed by this certificate: named as its signer, and the signature holds?
bool signed_by(OCSP_BASICRESP& basic, X509& signer) {
  const std::unique_ptr<STACK_OF(X509), FreeStack> one(sk_X509_new_null());
  if (!one || sk_X509_push(one.get(), &signer) == 0) return false;
  return OCSP_basic_verify(&basic, one.get(), nullptr, OCSP_NOINTERN | OCSP_NOVERIFY) == 1;
}

bool same(X509& one, X509& other) { return X509_cmp(&one, &other) == 0; }

bool may_answer(X509& signer, const ApprovedCa& ca) {
  if (same(signer, *ca.certificate)) return true;
  for (const Certificate& responder : ca.responders) {
    if (same(signer, *responder)) return true;
  }
  const bool asks = (X509_get_extension_flags(&signer) & EXFLAG_XKUSAGE) != 0 &&
                    (X509_get_extended_key_usage(&signer) & XKU_OCSP_SIGN) != 0;
  return asks && issued_by(signer, *ca.certificate);
}

// Who signed it, of all whom X-Road would look among: the CAs and responders of the global
// configuration, then what came with the response. One that may is preferred.
X509* find_signer(OCSP_BASICRESP& basic, const ApprovedCa& ca, const GlobalTrust& trust) {
  X509* found = nullptr;
  const auto look_at = [&](X509* candidate) {
    if (candidate == nullptr || (found != nullptr && may_answer(*found, ca))) return;
    if (signed_by(basic, *candidate)) found = candidate;
  };
  for (const ApprovedCa& other : trust.cas) {
    look_at(other.certificate.get());
    for (const Certificate& responder : other.responders) look_at(responder.get());
  }
  const STACK_OF(X509)* enclosed = OCSP_resp_get0_certs(&basic);
  for (int i = 0; i < sk_X509_num(enclosed); ++i) look_at(sk_X509_value(enclosed, i));
  ERR_clear_error();
  return found;
}

std::string status_words(int status, int reason, const ASN1_TIME* revoked) {
  if (status != V_OCSP_CERTSTATUS_REVOKED) return "its OCSP status is unknown to the responder";
  std::string words = "it is revoked since " + utc_text(seconds_of(revoked));
  if (reason >= 0) words += std::string(", reason ") + OCSP_crl_reason_str(reason);
  return words;
}

OcspAnswer judge_single(OCSP_SINGLERESP& single, const GlobalTrust& trust, std::int64_t now) {
  int reason = -1;
  ASN1_GENERALIZEDTIME* revoked = nullptr;
  ASN1_GENERALIZEDTIME* this_update = nullptr;
  ASN1_GENERALIZEDTIME* next_update = nullptr;
  const int status =
      OCSP_single_get0_status(&single, &reason, &revoked, &this_update, &next_update);
  const std::int64_t since = seconds_of(this_update);
  if (since < now - trust.ocsp_freshness) {
    return answer(OcspAnswer::Kind::NotGood,
                  "its OCSP response is of " + utc_text(since) + ", older than the " +
                      span_text(trust.ocsp_freshness) + " of ocspFreshnessSeconds");
  }
  if (trust.check_next_update && next_update != nullptr && seconds_of(next_update) < now) {
    return answer(OcspAnswer::Kind::NotGood, "the nextUpdate of its OCSP response was at " +
                                                 utc_text(seconds_of(next_update)));
  }
  if (status != V_OCSP_CERTSTATUS_GOOD) {
    return answer(OcspAnswer::Kind::NotGood, status_words(status, reason, revoked));
  }
  return {OcspAnswer::Kind::Good, 0, "", since};
}

}  // namespace

OcspAnswer judge_ocsp(std::string_view der, X509& certificate, const ApprovedCa& ca,
                      const GlobalTrust& trust, std::int64_t now) {
  using Kind = OcspAnswer::Kind;
  ERR_clear_error();
  const Response response = parse_response(der);
  if (!response) return answer(Kind::Unreadable, "its OCSP response does not parse");
  const int status = OCSP_response_status(response.get());
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return answer(Kind::Refusal,
                  std::string("the OCSP responder answered ") + OCSP_response_status_str(status),
                  status);
  }
  const Basic basic(OCSP_response_get1_basic(response.get()));
  if (!basic) return answer(Kind::Unreadable, "its OCSP response has no basic response in it");
  OCSP_SINGLERESP* single = find_single(*basic, certificate, *ca.certificate);
  if (single == nullptr) {
    return answer(Kind::NotGood, "its OCSP response is about another certificate");
  }
  X509* signer = find_signer(*basic, ca, trust);
  if (signer == nullptr) {
    return answer(Kind::NotGood, "nobody we know signed its OCSP response, or it was altered");
  }
  if (!may_answer(*signer, ca)) {
    return answer(Kind::NotGood, "its OCSP response is signed by " + certificate_name(*signer) +
                                     ", who may not answer for its CA");
  }
  return judge_single(*single, trust, now);
}

}  // namespace xs
