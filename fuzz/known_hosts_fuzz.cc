// SPDX-License-Identifier: MIT
// Input: a known_hosts file. Property: only an unreadable line that revokes is a reason to fail,
// and a key that the file does not hold is never known.
#include <cstdlib>

#include "base/error.h"
#include "protocol/known_hosts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const xs::HostKey stranger{"ssh-ed25519",
                             "no line of the input decodes to these very bytes, not even once"};
  try {
    const xs::KnownHosts known = xs::KnownHosts::parse(text, "known_hosts");
    if (known.check("primary", 22, stranger) == xs::HostKeyVerdict::Known) std::abort();
    (void)known.types("primary", 2222);
  } catch (const xs::Error& error) {
    if (error.fault() != xs::Fault::HostKey) std::abort();
  }
  return 0;
}
