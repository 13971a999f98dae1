// SPDX-License-Identifier: MIT
// keyconf: whatever the bytes, an answer comes back; one that is in trouble names no key, and no
// key of the software token can name a file elsewhere.
#include <cstdlib>
#include <string_view>

#include "protocol/entries.h"
#include "sync/xroad/keyconf.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const xs::Keyconf keyconf = xs::parse_keyconf({reinterpret_cast<const char*>(data), size});
  if (!keyconf.ok() && !(keyconf.soft_keys.empty() && keyconf.hsm_keys.empty())) std::abort();
  for (const std::string& id : keyconf.soft_keys) {
    if (!xs::valid_name(id + ".p12")) std::abort();
  }
  return 0;
}
