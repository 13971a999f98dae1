// SPDX-License-Identifier: MIT
#include "tests/companion/pki.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace xs::test {
namespace {

template <class T>
T* need(T* pointer, const char* what) {
  if (pointer == nullptr) throw std::runtime_error(std::string("OpenSSL: ") + what);
  return pointer;
}

void need(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

std::shared_ptr<EVP_PKEY> make_key() {
  EVP_PKEY_CTX* context = need(EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nullptr), "context");
  EVP_PKEY* raw = nullptr;
  const bool made = EVP_PKEY_keygen_init(context) == 1 &&
                    EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1 &&
                    EVP_PKEY_keygen(context, &raw) == 1;
  EVP_PKEY_CTX_free(context);
  need(made, "keygen");
  return {raw, EVP_PKEY_free};
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = need(X509V3_EXT_conf_nid(nullptr, &context, nid, value), value);
  need(X509_add_ext(certificate, extension, -1) == 1, "add_ext");
  X509_EXTENSION_free(extension);
}

std::string from_bio(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  std::string out(text, static_cast<std::size_t>(size));
  BIO_free_all(bio);
  return out;
}

std::string response_der(OCSP_RESPONSE* response) {
  unsigned char* bytes = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &bytes);
  need(size > 0, "i2d_OCSP_RESPONSE");
  std::string out(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  OCSP_RESPONSE_free(response);
  return out;
}

std::shared_ptr<ASN1_TIME> time_of(std::int64_t seconds) {
  return {need(ASN1_GENERALIZEDTIME_set(nullptr, seconds), "time"), ASN1_GENERALIZEDTIME_free};
}

}  // namespace

std::string Identity::der() const {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate.get(), &bytes);
  need(size > 0, "i2d_X509");
  std::string out(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return out;
}

std::string Identity::pem() const {
  BIO* bio = BIO_new(BIO_s_mem());
  need(PEM_write_bio_X509(bio, certificate.get()) == 1, "PEM_write_bio_X509");
  return from_bio(bio);
}

std::string Identity::key_pem() const {
  BIO* bio = BIO_new(BIO_s_mem());
  need(PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, "key");
  return from_bio(bio);
}

Identity make_identity(const CertPlan& plan, const Identity* ca) {
  static std::atomic<long> serial{1000};
  Identity made{{need(X509_new(), "X509_new"), X509_free}, make_key()};
  X509* certificate = made.certificate.get();
  X509* issuer = ca == nullptr ? certificate : ca->certificate.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(plan.name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  need(X509_set1_notBefore(certificate, time_of(plan.from).get()) == 1 &&
           X509_set1_notAfter(certificate, time_of(plan.until).get()) == 1,
       "dates");
  X509_set_pubkey(certificate, made.key.get());
  add_extension(certificate, issuer, NID_basic_constraints,
                plan.ca ? "critical,CA:TRUE" : "CA:FALSE");
  if (plan.ocsp_signing) add_extension(certificate, issuer, NID_ext_key_usage, "OCSPSigning");
  if (!plan.ca) add_extension(certificate, issuer, NID_subject_alt_name, plan.alt.c_str());
  EVP_PKEY* key = ca == nullptr ? made.key.get() : ca->key.get();
  need(X509_sign(certificate, key, EVP_sha256()) > 0, "X509_sign");
  return made;
}

std::string make_ocsp(const Identity& subject, const Identity& ca, const OcspPlan& plan) {
  OCSP_BASICRESP* basic = need(OCSP_BASICRESP_new(), "OCSP_BASICRESP_new");
  OCSP_CERTID* id =
      need(OCSP_cert_to_id(plan.digest, subject.certificate.get(), ca.certificate.get()), "id");
  const auto since = time_of(plan.this_update);
  const auto next = plan.next_update ? time_of(*plan.next_update) : nullptr;
  const auto revoked = plan.status == V_OCSP_CERTSTATUS_REVOKED ? since : nullptr;
  need(OCSP_basic_add1_status(basic, id, plan.status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                              revoked.get(), since.get(), next.get()),
       "add1_status");
  OCSP_CERTID_free(id);
  const Identity& signer = plan.signer == nullptr ? ca : *plan.signer;
  const unsigned long flags =
      (plan.enclose ? 0UL : OCSP_NOCERTS) | (plan.by_key ? OCSP_RESPID_KEY : 0UL);
  need(OCSP_basic_sign(basic, signer.certificate.get(), signer.key.get(), EVP_sha256(), nullptr,
                       flags) == 1,
       "OCSP_basic_sign");
  OCSP_RESPONSE* response =
      need(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic), "create");
  OCSP_BASICRESP_free(basic);
  return response_der(response);
}

std::string make_refusal(int response_status) {
  return response_der(need(OCSP_response_create(response_status, nullptr), "create"));
}

std::string base64(const std::string& bytes) {
  std::vector<unsigned char> out(bytes.size() / 3 * 4 + 5);
  const int size = EVP_EncodeBlock(out.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  return {reinterpret_cast<char*>(out.data()), static_cast<std::size_t>(size)};
}

}  // namespace xs::test
