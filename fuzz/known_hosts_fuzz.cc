// SPDX-License-Identifier: MIT
// Input: a known_hosts file. Property: it is never a reason to fail, and a key that it does not
// hold is never known.
#include <cstdlib>

#include "base/error.h"
#include "protocol/known_hosts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const xs::KnownHosts known = xs::KnownHosts::parse(text, "known_hosts");
  const xs::HostKey stranger{"ssh-ed25519",
                             "no line of the input decodes to these very bytes, not even once"};
  if (known.check("primary", 22, stranger) == xs::HostKeyVerdict::Known) std::abort();
  (void)known.types("primary", 2222);
  return 0;
}
