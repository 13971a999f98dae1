// SPDX-License-Identifier: MIT
#include "companion/key_state.h"

#include <malloc.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/global_params.h"
#include "companion/ocsp.h"

namespace xs {
namespace {

constexpr std::size_t kKeyFileLimit = 1U << 20;

// Tells one content of a file from the next without reading it: X-Road replaces files whole.
struct FileMark {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = -1;  // of a file that is not there
  std::int64_t changed = 0;
  bool operator==(const FileMark&) const = default;
};

FileMark mark_of(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return {};
  return {st.st_dev, st.st_ino, st.st_size, st.st_ctim.tv_sec * 1'000'000'000 + st.st_ctim.tv_nsec};
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash);
}

// Why the key's file cannot be what the signer loads; empty: it can. The PIN alone would tell more.
std::string key_file_trouble(const std::string& signer, const KeyconfKey& key) {
  if (!key.soft) return "";
  const std::string path = signer + "/softtoken/" + key.id + ".p12";
  try {
    const auto bytes = read_file_if_exists(path, kKeyFileLimit);
    if (!bytes) return "its key file " + quote(path) + " is missing";
    if (bytes->empty()) return "its key file " + quote(path) + " is empty";
    if (bytes->front() != '\x30') return "its key file " + quote(path) + " is no PKCS #12 file";
    return "";
  } catch (const Error& error) {
    return "its key file cannot be read: " + error.text();
  }
}

bool is_registered(std::string_view der, const GlobalTrust& trust) {
  for (const EVP_MD* algorithm : {EVP_sha256(), EVP_sha1(), EVP_sha512(), EVP_sha384()}) {
    if (trust.auth_cert_hashes.contains(digest_hex(der, algorithm))) return true;
  }
  return false;
}

const ApprovedCa* find_ca(X509& certificate, const GlobalTrust& trust) {
  for (const ApprovedCa& ca : trust.cas) {
    if (issued_by(certificate, *ca.certificate)) return &ca;
  }
  return nullptr;
}

std::string dates_trouble(X509& certificate, std::int64_t now) {
  if (now < valid_from(certificate)) {
    return "it is not valid before " + utc_text(valid_from(certificate));
  }
  if (now > valid_until(certificate)) return "it expired at " + utc_text(valid_until(certificate));
  return "";
}

CertStage stage_of(OcspAnswer::Kind kind) {
  switch (kind) {
    case OcspAnswer::Kind::Unreadable: return CertStage::OcspMissing;
    case OcspAnswer::Kind::Refusal: return CertStage::OcspStatus;
    case OcspAnswer::Kind::NotGood: return CertStage::OcspGood;
    case OcspAnswer::Kind::Good: return CertStage::Usable;
  }
  return CertStage::OcspMissing;
}

std::string ocsp_path(const std::string& cache, std::string_view der) {
  return cache + "/" + digest_hex(der, EVP_sha1()) + ".ocsp";
}

bool is_young(const std::string& path) {
  constexpr std::int64_t kYoung = 2;
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && std::abs(wall_now() - st.st_mtim.tv_sec) <= kYoung;
}

// What the signer fetched for this certificate.
OcspAnswer stored_answer(const std::string& cache, std::string_view der, X509& certificate,
                         const ApprovedCa& ca, const GlobalTrust& trust, std::int64_t now) {
  const std::string path = ocsp_path(cache, der);
  OcspAnswer answer;
  try {
    const auto bytes = read_file_if_exists(path, kOcspLimit);
    if (bytes) {
      answer = judge_ocsp(*bytes, certificate, ca, trust, now);
      if (!answer.why.empty()) answer.why += "; " + quote(path);
    } else {
      answer.why = "the signer has no OCSP response for it: no " + quote(path);
    }
  } catch (const Error& error) {
    answer.why = "its OCSP response cannot be read: " + error.text();
  }
  return answer;
}

}  // namespace

class KeyState::Trust {
 public:
  // Parsed anew only when a file changed: shared-params.xml may have megabytes, and we are asked
  // every few seconds.
  const GlobalTrust& refresh(const std::string& root) {
    const std::string directory = instance_directory(root, main_instance(root));
    const std::string shared = directory + "/shared-params.xml";
    const std::string next_update = directory + "/nextupdate-params.xml";
    const std::array<FileMark, 2> marks{mark_of(shared), mark_of(next_update)};
    if (known_ && marks == marks_) return *known_;
    known_.reset();
    GlobalTrust trust = parse_shared_params(read_file(shared, kGlobalPartLimit));
    // The document was many times as large as what stays of it, and a small daemon is to stay
    // small.
    ::malloc_trim(0);
    if (const auto xml = read_file_if_exists(next_update, kGlobalPartLimit)) {
      trust.check_next_update = parse_next_update_params(*xml);
    }
    marks_ = marks;
    return known_.emplace(std::move(trust));
  }

 private:
  std::array<FileMark, 2> marks_;
  std::optional<GlobalTrust> known_;
};

KeyState::KeyState(KeySettings settings, Wall wall)
    : settings_(std::move(settings)), wall_(std::move(wall)), trust_(std::make_unique<Trust>()) {}

KeyState::~KeyState() = default;

namespace {

// One certificate after another question; the first that is answered with no is its stage.
CertState judge(const KeySettings& settings, const KeyconfKey& key, const KeyconfCert& cert,
                const GlobalTrust& trust, std::int64_t now) {
  CertState state;
  state.key = escape(key.id);
  state.member = escape(cert.member);
  state.name = "certificate " + escape(cert.id) + " of key " + state.key;
  const auto stop = [&state](CertStage stage, std::string why) {
    state.stage = stage;
    state.why = std::move(why);
    return state;
  };
  const Certificate certificate = parse_certificate(cert.der);
  if (certificate) {
    state.name = certificate_name(*certificate);
    state.valid_until = valid_until(*certificate);
  }
  const std::string reason = certificate ? "" : openssl_reason();
  std::string trouble = key_file_trouble(directory_of(settings.keyconf), key);
  if (!trouble.empty()) return stop(CertStage::Key, std::move(trouble));
  if (!certificate) {
    return stop(CertStage::Certificate, "its contents in keyconf.xml are no certificate" +
                                            (reason.empty() ? "" : " (" + reason + ")"));
  }
  trouble = dates_trouble(*certificate, now);
  if (!trouble.empty()) return stop(CertStage::Validity, std::move(trouble));
  const ApprovedCa* ca = find_ca(*certificate, trust);
  if (ca == nullptr) {
    return stop(CertStage::Validity, "no CA of the global configuration issued it");
  }
  if (key.usage == KeyUsage::Authentication && !is_registered(cert.der, trust)) {
    return stop(CertStage::Validity, "no security server of the global configuration has it");
  }
  OcspAnswer answer = stored_answer(settings.ocsp_cache, cert.der, *certificate, *ca, trust, now);
  state.response_status = answer.response_status;
  state.in_writing = answer.kind == OcspAnswer::Kind::Unreadable &&
                     is_young(ocsp_path(settings.ocsp_cache, cert.der));
  return stop(stage_of(answer.kind), std::move(answer.why));
}

}  // namespace

// The signer writes in place: half a response would be a failure for 30 s.
KeyStates KeyState::look(KeyUsage usage, Clock& clock, Instant deadline) {
  constexpr Duration kMoment = std::chrono::milliseconds(100);
  KeyStates states = look_once(usage);
  const bool waits = std::any_of(states.certs.begin(), states.certs.end(),
                                 [](const CertState& state) { return state.in_writing; });
  if (!waits) return states;
  clock.poll({}, std::min(deadline, clock.now() + kMoment));
  return look_once(usage);
}

KeyStates KeyState::look_once(KeyUsage usage) {
  KeyStates states;
  try {
    const auto xml = read_file_if_exists(settings_.keyconf, kKeyconfCertsLimit);
    if (!xml) return {quote(settings_.keyconf) + " is not there", {}, 0};
    const KeyconfCerts keyconf = parse_keyconf_certs(*xml);
    if (!keyconf.trouble.empty()) return {quote(settings_.keyconf) + ": " + keyconf.trouble, {}, 0};
    const GlobalTrust& trust = trust_->refresh(settings_.global_conf);
    for (const KeyconfKey& key : keyconf.keys) {
      if (key.usage != usage) continue;
      for (const KeyconfCert& cert : key.certs) {
        if (cert.in_use()) {
          states.certs.push_back(judge(settings_, key, cert, trust, wall_()));
        } else {
          ++states.others;
        }
      }
    }
  } catch (const Error& error) {
    return {error.text(), {}, 0};
  }
  return states;
}

}  // namespace xs
