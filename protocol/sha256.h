// SPDX-License-Identifier: MIT
// SHA-256 (FIPS 180-4), for the fingerprint under which an ssh key is shown, logged, and named by
// `trust --fingerprint`; the host key of a run is compared whole, without it. Ours, because the
// server starts once for every run of every secondary and libcrypto, which it would need for this
// alone, is a third of what its start costs. Held by the standard's examples.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace xs {

std::array<std::uint8_t, 32> sha256(std::string_view bytes);

}  // namespace xs
