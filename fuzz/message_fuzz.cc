// SPDX-License-Identifier: MIT
// Input: a message number and its payload. Property: what decodes, encodes to the same bytes.
#include <cstdlib>

#include "base/error.h"
#include "protocol/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return -1;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const xs::Message message = xs::decode(data[0], payload, xs::kOurFeatures);
    std::string again;
    xs::encode(message, again);
    if (again != payload) std::abort();
  } catch (const xs::Error& error) {
    if (error.fault() != xs::Fault::Protocol) std::abort();
  }
  return 0;
}
