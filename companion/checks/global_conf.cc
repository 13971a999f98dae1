// SPDX-License-Identifier: MIT
#include "companion/checks/global_conf.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "companion/global_params.h"

namespace xs {
namespace {

constexpr std::size_t kMetadataLimit = 64U << 10;

std::int64_t expiry_of_part(const std::string& part, const std::string& instance) {
  // The date of a part that is gone means nothing.
  if (::access(part.c_str(), R_OK) != 0) throw_errno("access", part);
  const std::string path = part + ".metadata";
  const std::string metadata = read_file(path, kMetadataLimit);
  try {
    return expiry_of(metadata, instance);
  } catch (const Error& error) {
    throw Error(error.fault(), quote(path) + ": " + error.text());
  }
}

}  // namespace

GlobalConfCheck::GlobalConfCheck(GlobalConfSettings settings, Wall wall)
    : settings_(std::move(settings)), wall_(std::move(wall)) {}

Verdict GlobalConfCheck::ask(Clock& /*clock*/, Instant /*deadline*/) {
  static constexpr const char* kExpired = "Global configuration is expired";
  try {
    const std::string instance = main_instance(settings_.directory);
    const std::string directory = instance_directory(settings_.directory, instance);
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (const char* part : {"/shared-params.xml", "/private-params.xml"}) {
      const std::int64_t expires = expiry_of_part(directory + part, instance);
      if (expires < wall_()) {
        return {false, kExpired,
                quote(directory + part) + " expired at " + utc_text(expires) +
                    "; does xroad-confclient reach the central server, and is the clock right?"};
      }
      first = std::min(first, expires);
    }
    return {true,
            "",
            "valid until " + utc_text(first),
            {{"valid_seconds", static_cast<double>(first - wall_())}}};
  } catch (const Error& error) {
    return {false, kExpired, error.text()};
  }
}

}  // namespace xs
