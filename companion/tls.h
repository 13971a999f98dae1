// SPDX-License-Identifier: MIT
// TlsStream: HTTP's way over TLS 1.2 or newer to a server that has proven who it is. Called by
// whoever asks a Central Server. Never unverified: either the certificate is one of those that are
// pinned by fingerprint (its name and dates then say nothing, for it is that very certificate), or
// a CA of ours vouches for it and for the host's name. Nothing is sent before that is known.
// Failures: HostKey (the certificate, with its fingerprint), Protocol (no TLS, or none that we
// speak), Stream (cut off), Timeout, Usage (a CA file or a fingerprint that is none).
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "companion/certificate.h"
#include "companion/http_get.h"
#include "companion/tls_trust.h"

namespace xs {

class TlsStream final : public HttpStream {
 public:
  // Shakes hands over the non-blocking socket `fd`.
  TlsStream(Fd fd, const HttpTarget& target, const TlsTrust& trust, Clock& clock, Instant deadline);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  void write(std::string_view bytes) override;
  // The end of the connection is an end also without TLS's good-bye: who reads must know a whole
  // answer from a piece, by its length or by its form.
  std::optional<std::size_t> read(std::span<char> into) override;

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  static int verify(X509_STORE_CTX* chain, void* self) noexcept;
  bool judge(X509_STORE_CTX& chain);
  void use_trust();
  void use_name(const std::string& host);
  void shake_hands();
  [[noreturn]] void refuse(int why);
  void flush();
  bool fill();  // false: the deadline

  Fd fd_;
  std::string subject_;
  const TlsTrust& trust_;
  Clock& clock_;
  Instant deadline_;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  BIO *in_ = nullptr, *out_ = nullptr;  // of ssl_: what has come, and what is to go
  bool ended_ = false;                  // the other side has closed
  std::string objection_;               // to its certificate
};

}  // namespace xs
