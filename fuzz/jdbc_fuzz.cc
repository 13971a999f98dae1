// SPDX-License-Identifier: MIT
// jdbc: a URL is refused with Usage and without its own words, or names hosts and ports that libpq
// can use; a .properties file is read or refused with Usage.
#include <cstdlib>

#include "base/error.h"
#include "companion/jdbc.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const xs::DbTarget target = xs::parse_jdbc_url(text);
    if (target.hosts.empty()) std::abort();
    for (const xs::DbHost& host : target.hosts) {
      if (host.host.empty() || host.port == 0 || host.host[0] == '/') std::abort();
    }
    if (target.password.find('\0') != target.password.npos) std::abort();
  } catch (const xs::Error& error) {
    if (error.fault() != xs::Fault::Usage) std::abort();
  }
  try {
    xs::parse_properties(text);
  } catch (const xs::Error& error) {
    if (error.fault() != xs::Fault::Usage) std::abort();
  }
  return 0;
}
