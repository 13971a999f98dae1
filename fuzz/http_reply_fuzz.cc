// SPDX-License-Identifier: MIT
// http_reply: refused with Protocol or Stream, or a status of three digits and a body that stands
// in the bytes.
#include <cstdlib>

#include "base/error.h"
#include "companion/http_get.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const xs::HttpReply reply = xs::parse_http_reply(bytes);
    if (reply.status < 100 || reply.status > 999) std::abort();
    if (bytes.find(reply.body) == bytes.npos) std::abort();
  } catch (const xs::Error& error) {
    if (error.fault() != xs::Fault::Protocol && error.fault() != xs::Fault::Stream) std::abort();
  }
  return 0;
}
