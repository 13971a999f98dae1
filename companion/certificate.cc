// SPDX-License-Identifier: MIT
#include "companion/certificate.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <ctime>
#include <utility>

#include "base/text.h"

namespace xs {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
struct FreeNumber {
  void operator()(BIGNUM* number) const { BN_free(number); }
};

std::string subject_of(X509& certificate) {
  const std::unique_ptr<BIO, FreeBio> out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), X509_get_subject_name(&certificate), 0,
                                 XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ & ~ASN1_STRFLGS_ESC_MSB) < 0) {
    return "a certificate without a readable name";
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return excerpt({text, static_cast<std::size_t>(size)}, 200);
}

std::string serial_of(X509& certificate) {
  const std::unique_ptr<BIGNUM, FreeNumber> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  char* text = number ? BN_bn2hex(number.get()) : nullptr;
  const std::string serial = text == nullptr ? "?" : text;
  OPENSSL_free(text);
  return serial;
}

}  // namespace

Certificate parse_certificate(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = at + der.size();
  Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (at != end) certificate.reset();
  return certificate;
}

std::string certificate_name(X509& certificate) {
  return subject_of(certificate) + ", serial " + serial_of(certificate);
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return ::timegm(&parts);
}

std::int64_t valid_from(X509& certificate) { return seconds_of(X509_get0_notBefore(&certificate)); }

std::int64_t valid_until(X509& certificate) { return seconds_of(X509_get0_notAfter(&certificate)); }

bool issued_by(X509& certificate, X509& issuer) {
  if (X509_NAME_cmp(X509_get_issuer_name(&certificate), X509_get_subject_name(&issuer)) != 0) {
    return false;
  }
  EVP_PKEY* key = X509_get0_pubkey(&issuer);
  const bool signed_by = key != nullptr && X509_verify(&certificate, key) == 1;
  ERR_clear_error();
  return signed_by;
}

std::vector<Certificate> pem_certificates(std::string_view pem) {
  const std::unique_ptr<BIO, FreeBio> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<Certificate> all;
  while (bio != nullptr) {
    Certificate one(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!one) break;
    all.push_back(std::move(one));
  }
  ERR_clear_error();
  return all;
}

std::string fingerprint_of(X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(&certificate, EVP_sha256(), digest.data(), &size) != 1) return "";
  return hex({reinterpret_cast<const char*>(digest.data()), size});
}

std::string digest_hex(std::string_view bytes, const EVP_MD* algorithm) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, algorithm, nullptr) != 1) {
    return "";
  }
  return hex({reinterpret_cast<const char*>(digest.data()), size});
}

std::string openssl_reason() {
  std::string reason;
  const unsigned long code = ERR_peek_last_error();
  if (code != 0) {
    const char* words = ERR_reason_error_string(code);
    std::array<char, 32> number{};
    ERR_error_string_n(code, number.data(), number.size());
    reason = words != nullptr ? words : number.data();
  }
  ERR_clear_error();
  return reason;
}

}  // namespace xs
