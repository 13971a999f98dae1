// SPDX-License-Identifier: MIT
// ocsp: whatever the bytes, an answer comes back, its reason is one line, and only one that has no
// reason is good. The certificate and its CA are those that the corpus was made for.
#include <cstdlib>

#include "base/io.h"
#include "base/text.h"
#include "companion/ocsp.h"

namespace {
std::string load(const char* name) {
  return xs::read_file(std::string(XS_SOURCE_DIR "/fuzz/ocsp/") + name, 1U << 16);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const xs::Certificate subject = xs::parse_certificate(load("subject.der"));
  static const xs::GlobalTrust trust = [] {
    xs::GlobalTrust made;
    made.ocsp_freshness = 3'600;
    made.cas.push_back({xs::parse_certificate(load("ca.der")), {}});
    return made;
  }();
  const auto answer = xs::judge_ocsp({reinterpret_cast<const char*>(data), size}, *subject,
                                     trust.cas[0], trust, 1'800'000'000);
  if (answer.why.empty() != (answer.kind == xs::OcspAnswer::Kind::Good)) std::abort();
  return xs::escape_again(answer.why) == answer.why ? 0 : (std::abort(), 0);
}
