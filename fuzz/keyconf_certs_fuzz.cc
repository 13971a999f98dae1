// SPDX-License-Identifier: MIT
// keyconf_certs: whatever the bytes, an answer comes back; one that is in trouble names no key, and
// no key of the software token can name a file elsewhere.
#include <cstdlib>

#include "companion/keyconf_certs.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto found = xs::parse_keyconf_certs({reinterpret_cast<const char*>(data), size});
  if (!found.trouble.empty() && !found.keys.empty()) std::abort();
  for (const xs::KeyconfKey& key : found.keys) {
    const bool leads_elsewhere = key.id.find('/') != key.id.npos || key.id.starts_with('.');
    if (key.soft && (key.id.empty() || leads_elsewhere)) std::abort();
  }
  return 0;
}
