// SPDX-License-Identifier: MIT
#include "companion/replication/node_pki.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "companion/certificate.h"
#include "companion/wall.h"

namespace xs {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kEarlier = 3'600;  // for a node whose clock is behind

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Time = std::unique_ptr<ASN1_TIME, Freed<ASN1_TIME_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;

void need(bool ok, const char* what) {
  if (ok) return;
  throw Error(Fault::Mismatch, std::string("OpenSSL cannot ") + what + ": " + openssl_reason());
}

Key make_key() {
  const KeyContext context(EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nullptr));
  EVP_PKEY* raw = nullptr;
  need(context && EVP_PKEY_keygen_init(context.get()) == 1 &&
           EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context.get(), NID_X9_62_prime256v1) == 1 &&
           EVP_PKEY_keygen(context.get(), &raw) == 1,
       "make a key");
  return Key(raw);
}

std::string text_of(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  need(bio && PEM_write_bio_X509(bio.get(), certificate) == 1, "write a certificate");
  return text_of(bio.get());
}

std::string pem_of(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  need(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr,
                                            nullptr) == 1,
       "write a key");
  return text_of(bio.get());
}

Bio reader(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Certificate read_certificate(const std::string& pem) {
  const Bio bio = reader(pem);
  return Certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

// A key with a passphrase would ask the terminal for it.
int no_passphrase(char*, int, int, void*) { return -1; }

Key read_key(const std::string& pem) {
  const Bio bio = reader(pem);
  return Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  need(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "add an extension");
}

void set_serial(X509* certificate) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(BN_new());
  need(number && BN_rand(number.get(), 159, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr,
       "make a serial number");
}

Certificate blank(const std::string& name, EVP_PKEY* key, std::int64_t now, int days) {
  Certificate certificate(X509_new());
  need(certificate && X509_set_version(certificate.get(), 2) == 1, "make a certificate");
  set_serial(certificate.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto add = [subject](const char* field, const std::string& value) {
    return X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1;
  };
  need(add("O", "X-Road cluster") && add("CN", name), "name a certificate");
  const Time from(ASN1_TIME_set(nullptr, now - kEarlier));
  const Time until(ASN1_TIME_set(nullptr, now + days * kDay));
  need(from && until && X509_set1_notBefore(certificate.get(), from.get()) == 1 &&
           X509_set1_notAfter(certificate.get(), until.get()) == 1 &&
           X509_set_pubkey(certificate.get(), key) == 1,
       "date a certificate");
  return certificate;
}

bool is_address(const std::string& name) {
  const std::unique_ptr<ASN1_OCTET_STRING, Freed<ASN1_OCTET_STRING_free>> address(
      a2i_IPADDRESS(name.c_str()));
  return address != nullptr;
}

// libpq before 15 looks for an address among the names.
std::string alternative_names(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) {
    if (name.empty() || name.find_first_of(",;: \t\n'\"\\") != std::string::npos) {
      if (!is_address(name)) throw Error(Fault::Usage, quote(name) + " is no name of a host");
    }
    const bool address = is_address(name);
    if (address) all += (all.empty() ? "IP:" : ",IP:") + name;
    if (!address || name.find(':') == std::string::npos)
      all += (all.empty() ? "DNS:" : ",DNS:") + name;
  }
  return all;
}

[[noreturn]] void refuse(const CertFiles& files, const std::string& why) {
  throw Error(Fault::Mismatch, quote(files.file) + ": " + why);
}

void check_chain(const CertFiles& files, X509* certificate, X509* ca, CertUse use,
                 std::int64_t now) {
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  need(store && context && X509_STORE_add_cert(store.get(), ca) == 1 &&
           X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr) == 1,
       "check a certificate");
  X509_STORE_CTX_set_time(context.get(), 0, static_cast<time_t>(now));
  X509_STORE_CTX_set_purpose(
      context.get(), use == CertUse::Server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
  if (X509_verify_cert(context.get()) == 1) return;
  const int code = X509_STORE_CTX_get_error(context.get());
  const bool of_ca = X509_STORE_CTX_get_error_depth(context.get()) > 0;
  const std::string when =
      code == X509_V_ERR_CERT_HAS_EXPIRED
          ? " (it ended at " + utc_text(valid_until(of_ca ? *ca : *certificate)) + ")"
          : "";
  openssl_reason();
  refuse(files, std::string(of_ca ? "its CA: " : "") + X509_verify_cert_error_string(code) + when);
}

std::string common_name(X509* certificate) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return "";
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return "";
  std::string name(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return name;
}

}  // namespace

KeyPair make_ca(const std::string& name, std::int64_t now, int days) {
  const Key key = make_key();
  const Certificate certificate = blank(name, key.get(), now, days);
  X509* raw = certificate.get();
  need(X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1, "name an issuer");
  add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(raw, raw, NID_subject_key_identifier, "hash");
  need(X509_sign(raw, key.get(), EVP_sha256()) > 0, "sign a certificate");
  return {pem_of(raw), pem_of(key.get())};
}

KeyPair issue_certificate(const KeyPair& ca, const NodePlan& plan, std::int64_t now) {
  const Certificate issuer = read_certificate(ca.certificate);
  const Key issuer_key = read_key(ca.key);
  need(issuer && issuer_key && X509_check_private_key(issuer.get(), issuer_key.get()) == 1,
       "use the CA's key");
  const Key key = make_key();
  const Certificate certificate = blank(plan.common_name, key.get(), now, plan.days);
  X509* raw = certificate.get();
  need(X509_set_issuer_name(raw, X509_get_subject_name(issuer.get())) == 1, "name an issuer");
  add_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(raw, issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(raw, issuer.get(), NID_subject_key_identifier, "hash");
  add_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid");
  const std::string names = alternative_names(plan.names);
  if (!names.empty()) add_extension(raw, issuer.get(), NID_subject_alt_name, names);
  need(X509_sign(raw, issuer_key.get(), EVP_sha256()) > 0, "sign a certificate");
  return {pem_of(raw), pem_of(key.get())};
}

void check_certificate(const CertFiles& files, CertUse use, const std::string& name,
                       std::int64_t now) {
  const Certificate certificate = read_certificate(files.certificate);
  const Certificate ca = read_certificate(files.ca);
  const Key key = read_key(files.key);
  openssl_reason();
  if (!certificate) refuse(files, "this is no certificate in PEM");
  if (!ca) refuse(files, "the CA's file is no certificate in PEM");
  if (!key) refuse(files, "its key cannot be read: PEM without a passphrase is needed");
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    openssl_reason();
    refuse(files, "its key belongs to another certificate");
  }
  check_chain(files, certificate.get(), ca.get(), use, now);
  if (name.empty()) return;
  if (use == CertUse::Client) {
    const std::string is = common_name(certificate.get());
    if (is != name) {
      refuse(files, "its common name is " + quote(is) + ", not " + quote(name) +
                        ", the role that it has to log in as");
    }
  } else if (X509_check_host(certificate.get(), name.c_str(), name.size(), 0, nullptr) != 1 &&
             X509_check_ip_asc(certificate.get(), name.c_str(), 0) != 1) {
    refuse(files, "it is not for the host " + quote(name));
  }
}

CertNames certificate_names(const std::string& pem) {
  const Certificate certificate = read_certificate(pem);
  openssl_reason();
  CertNames found;
  if (!certificate) return found;
  found.common_name = common_name(certificate.get());
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(all.get(), i);
    int type = 0;
    const auto* text = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(one, &type));
    const auto* bytes = ASN1_STRING_get0_data(text);
    const int size = ASN1_STRING_length(text);
    std::array<char, INET6_ADDRSTRLEN> address{};
    std::string name;
    if (type == GEN_DNS) {
      name.assign(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    } else if (type == GEN_IPADD && (size == 4 || size == 16) &&
               ::inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, address.data(), address.size()) !=
                   nullptr) {
      name = address.data();
    }
    if (!name.empty() &&
        std::find(found.hosts.begin(), found.hosts.end(), name) == found.hosts.end()) {
      found.hosts.push_back(name);
    }
  }
  return found;
}

std::string certificate_text(const std::string& pem) {
  const Certificate certificate = read_certificate(pem);
  openssl_reason();
  if (!certificate) return "no certificate";
  return certificate_name(*certificate) + ", until " + utc_text(valid_until(*certificate));
}

}  // namespace xs
