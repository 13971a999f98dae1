// SPDX-License-Identifier: MIT
#include "companion/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/wall.h"

namespace xs {
namespace {

constexpr std::size_t kDigits = 64;  // of SHA-256
constexpr std::size_t kCaFileLimit = 4U << 20;

[[noreturn]] void broken(const std::string& call) {
  throw Error(Fault::Protocol, "OpenSSL: " + call + ": " + openssl_reason());
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

// Every certificate of a PEM file.
void add_authorities(X509_STORE* store, const std::string& file) {
  const std::string text = read_file(file, kCaFileLimit);
  std::size_t count = 0;
  for (const Certificate& certificate : pem_certificates(text)) {
    if (X509_STORE_add_cert(store, certificate.get()) != 1) break;
    ++count;
  }
  ERR_clear_error();
  if (count == 0) {
    throw Error(Fault::Usage, "the CA file " + quote(file) + " has no certificate in PEM form");
  }
}

}  // namespace

std::string parse_fingerprint(const std::string& text) {
  // "sha256 Fingerprint=AB:CD:..." is what `openssl x509 -fingerprint -sha256` prints.
  std::string digits;
  for (const char c : text.substr(text.rfind('=') + 1)) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
      digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (c != ':' && c != ' ') {
      digits.clear();
      break;
    }
  }
  if (digits.size() == kDigits) return digits;
  throw Error(Fault::Usage, excerpt(text, 120) +
                                " is no SHA-256 fingerprint of a certificate: give the 64 hex "
                                "digits that openssl x509 -noout -fingerprint -sha256 prints");
}

std::string fingerprint_text(const std::string& hex) {
  std::string text;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    if (i > 0 && i % 2 == 0) text += ':';
    text += static_cast<char>(std::toupper(static_cast<unsigned char>(hex[i])));
  }
  return text;
}

TlsStream::TlsStream(Fd fd, const HttpTarget& target, const TlsTrust& trust, Clock& clock,
                     Instant deadline)
    : fd_(std::move(fd)),
      subject_(target.where()),
      trust_(trust),
      clock_(clock),
      deadline_(deadline),
      context_(SSL_CTX_new(TLS_client_method())) {
  if (!context_ || SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION) != 1) {
    broken("SSL_CTX_new");
  }
  use_trust();
  ssl_.reset(SSL_new(context_.get()));
  if (!ssl_) broken("SSL_new");
  use_name(target.host);
  // Memory on both sides, so that every byte passes base/io with its deadline and its errors.
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  if (in_ == nullptr || out_ == nullptr) broken("BIO_new");
  SSL_set_bio(ssl_.get(), in_, out_);
  SSL_set_connect_state(ssl_.get());
  try {
    shake_hands();
  } catch (const Error& error) {
    // A reset is the peer's doing, not a local file's.
    if (error.fault() != Fault::Io) throw;
    throw Error(Fault::Stream, error.text(), error.code());
  }
}

TlsStream::~TlsStream() = default;

void TlsStream::use_trust() {
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context_.get(), &TlsStream::verify, this);
  if (!trust_.fingerprints.empty()) return;
  if (!trust_.ca_file.empty()) {
    add_authorities(SSL_CTX_get_cert_store(context_.get()), trust_.ca_file);
  } else if (SSL_CTX_set_default_verify_paths(context_.get()) != 1) {
    broken("SSL_CTX_set_default_verify_paths");
  }
}

void TlsStream::use_name(const std::string& host) {
  if (is_address(host)) {
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) != 1) {
      broken("X509_VERIFY_PARAM_set1_ip_asc");
    }
    return;
  }
  SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (SSL_set1_host(ssl_.get(), host.c_str()) != 1 ||
      SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) != 1) {
    broken("SSL_set1_host");
  }
}

int TlsStream::verify(X509_STORE_CTX* chain, void* self) noexcept {
  try {
    return static_cast<TlsStream*>(self)->judge(*chain) ? 1 : 0;
  } catch (...) {
    return 0;  // out of memory
  }
}

bool TlsStream::judge(X509_STORE_CTX& chain) {
  X509* const certificate = X509_STORE_CTX_get0_cert(&chain);
  if (certificate == nullptr) return false;
  const std::string print = fingerprint_of(*certificate);
  const auto& pins = trust_.fingerprints;
  std::string why;
  if (!pins.empty()) {
    if (!print.empty() && std::find(pins.begin(), pins.end(), print) != pins.end()) return true;
    X509_STORE_CTX_set_error(&chain, X509_V_ERR_APPLICATION_VERIFICATION);
    why = "is not the one whose fingerprint was given";
  } else {
    if (X509_verify_cert(&chain) == 1) return true;
    why = std::string("is not trusted (") +
          X509_verify_cert_error_string(X509_STORE_CTX_get_error(&chain)) + ")";
  }
  objection_ = "the certificate of " + quote(subject_) + " " + why + ": it is " +
               certificate_name(*certificate) + ", valid until " +
               utc_text(valid_until(*certificate)) + ", SHA-256 fingerprint " +
               fingerprint_text(print) +
               "; compare that at the server itself, then give it as --fingerprint";
  return false;
}

void TlsStream::shake_hands() {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_connect(ssl_.get());
    const int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
    // What it says to a certificate that we refuse, nobody needs to hear.
    if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ) refuse(why);
    flush();
    if (done == 1) return;
    if (ended_) refuse(why);
    if (!fill()) {
      throw Error(Fault::Timeout, quote(subject_) + " did not shake hands in time: is it TLS?");
    }
  }
}

void TlsStream::refuse(int why) {
  const std::string reason = openssl_reason();
  if (!objection_.empty()) throw Error(Fault::HostKey, objection_);
  if (ended_) {
    throw Error(Fault::Stream, quote(subject_) +
                                   " ended the connection while shaking hands: does it speak TLS "
                                   "1.2 or newer there?");
  }
  throw Error(Fault::Protocol,
              quote(subject_) + " does not speak TLS 1.2 or newer with us: " +
                  (reason.empty() ? "error " + std::to_string(why) : escape(reason)));
}

void TlsStream::write(std::string_view bytes) {
  const std::size_t most = std::numeric_limits<int>::max();
  ERR_clear_error();
  // Memory takes all of it at once.
  const int put =
      SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min(bytes.size(), most)));
  if (put < 0 || static_cast<std::size_t>(put) != bytes.size()) {
    throw Error(Fault::Stream, quote(subject_) + ": TLS broke: " + escape(openssl_reason()));
  }
  flush();
}

std::optional<std::size_t> TlsStream::read(std::span<char> into) {
  for (;;) {
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
    if (got > 0) return static_cast<std::size_t>(got);
    const int why = SSL_get_error(ssl_.get(), got);
    if (why == SSL_ERROR_ZERO_RETURN || ended_) return 0;
    if (why != SSL_ERROR_WANT_READ) {
      throw Error(Fault::Stream, quote(subject_) + ": TLS broke: " + escape(openssl_reason()));
    }
    flush();
    if (!fill()) return std::nullopt;
  }
}

void TlsStream::flush() {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out_, &bytes);
  if (size <= 0) return;
  write_all(fd_.get(), {bytes, static_cast<std::size_t>(size)}, clock_, deadline_, subject_);
  (void)BIO_reset(out_);
}

bool TlsStream::fill() {
  std::array<char, 4096> piece{};
  for (;;) {
    pollfd one{fd_.get(), POLLIN, 0};
    if (clock_.poll({&one, 1}, deadline_) == 0) return false;
    const auto got = read_some(fd_.get(), piece, subject_);
    if (!got) continue;
    ended_ = *got == 0;
    if (ended_) {
      BIO_set_mem_eof_return(in_, 0);
    } else if (BIO_write(in_, piece.data(), static_cast<int>(*got)) != static_cast<int>(*got)) {
      broken("BIO_write");
    }
    return true;
  }
}

}  // namespace xs
